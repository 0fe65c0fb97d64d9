// SPDX-License-Identifier: BSD-3-Clause
#include "base/names.h"

#include <ctype.h>
#include <string.h>

enum { WORD_MAX = 63 };

static int fold(char c)
{
    return c == '_' ? '-' : tolower((unsigned char)c);
}

unsigned names_distance(const char *a, const char *b)
{
    // Optimal string alignment, three rows of the table at a time.
    unsigned rows[3][WORD_MAX + 2];
    size_t n = strnlen(a, WORD_MAX), m = strnlen(b, WORD_MAX);

    for (size_t j = 0; j <= m; j++)
        rows[0][j] = (unsigned)j;
    for (size_t i = 1; i <= n; i++) {
        unsigned *row = rows[i % 3], *up = rows[(i + 2) % 3], *up2 = rows[(i + 1) % 3];

        row[0] = (unsigned)i;
        for (size_t j = 1; j <= m; j++) {
            bool same = fold(a[i - 1]) == fold(b[j - 1]);
            unsigned d = MIN(up[j - 1] + !same, MIN(up[j], row[j - 1]) + 1);

            if (i > 1 && j > 1 && fold(a[i - 1]) == fold(b[j - 2]) &&
                fold(a[i - 2]) == fold(b[j - 1]))
                d = MIN(d, up2[j - 2] + 1);
            row[j] = d;
        }
    }
    return rows[n % 3][m];
}

void names_offer(struct names_nearest *n, const char *name)
{
    unsigned d = names_distance(n->word, name);
    size_t length = strlen(n->word);
    unsigned limit = length <= 3 ? 1 : length <= 6 ? 2 : 3;

    // A prefix of at least three letters is what was meant, too.
    if (length >= 3 && strncmp(name, n->word, length) == 0)
        d = MIN(d, 1u);
    if (d <= limit && (!n->best || d < n->distance)) {
        n->best = name;
        n->distance = d;
    }
}

bool names_glob(const char *pattern, const char *path)
{
    const char *star = NULL, *retry = NULL;

    while (*path) {
        if (*pattern == '*') {
            star = ++pattern;
            retry = path;
        } else if (*pattern == '?' || *pattern == *path) {
            pattern++;
            path++;
        } else if (star) {
            pattern = star;
            path = ++retry;
        } else {
            return false;
        }
    }
    while (*pattern == '*')
        pattern++;
    return !*pattern;
}
