// SPDX-License-Identifier: BSD-3-Clause
// Copies files to standard output; 1 when one cannot be opened.
#include <fcntl.h>
#include <unistd.h>

int main(int argc, char **argv)
{
    char text[4096];

    for (int i = 1; i < argc; i++) {
        int fd = open(argv[i], O_RDONLY);
        ssize_t n;

        if (fd < 0)
            return 1;
        while ((n = read(fd, text, sizeof(text))) > 0) {
            if (write(1, text, (size_t)n) != n)
                return 2;
        }
        close(fd);
    }
    return 0;
}
