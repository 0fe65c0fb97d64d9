// SPDX-License-Identifier: BSD-3-Clause
// Two threads wait for each other for ever.
#include <pthread.h>
#include <unistd.h>

static pthread_mutex_t first = PTHREAD_MUTEX_INITIALIZER, second = PTHREAD_MUTEX_INITIALIZER;

static void *other(void *arg)
{
    pthread_mutex_lock(&second);
    usleep(1000);
    pthread_mutex_lock(&first);
    return NULL;
}

int main(void)
{
    pthread_t t;

    pthread_mutex_lock(&first);
    pthread_create(&t, NULL, other, NULL);
    usleep(1000);
    pthread_mutex_lock(&second);
    return 0;
}
