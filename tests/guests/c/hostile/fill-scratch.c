/* Writes to /tmp until there is no room, in one file and then in many, and looks whether that is said.
 *
 *   argument 1   "trap": to be ended by force then
 *   exit         0 if both ended with ENOSPC and a file that was removed made room, 1 if not
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static char bytes[16 << 10];

/* Writes to `name` until it cannot, and returns how much that was. */
static long long fill(const char *name) {
    int file = open(name, O_WRONLY | O_CREAT, 0666);
    if (file < 0) {
        return -1;
    }
    long long all = 0;
    ssize_t taken;
    while ((taken = write(file, bytes, sizeof bytes)) > 0) {
        all += taken;
    }
    int why = errno;
    close(file);
    errno = why;
    return taken < 0 ? all : -1;
}

/* Makes empty files until it cannot, and returns how many. */
static int make_many(void) {
    for (int count = 0;; count++) {
        char name[32];
        snprintf(name, sizeof name, "/tmp/%d", count);
        int file = open(name, O_WRONLY | O_CREAT, 0666);
        if (file < 0) {
            return count;
        }
        close(file);
    }
}

int main(int argc, char **argv) {
    memset(bytes, 'x', sizeof bytes);
    long long first = fill("/tmp/large");
    if (first <= 0 || errno != ENOSPC) {
        return 1;
    }
    if (unlink("/tmp/large") != 0 || fill("/tmp/large") != first || errno != ENOSPC) {
        return 1;
    }
    if (argc > 1 && strcmp(argv[1], "trap") == 0) {
        __builtin_trap();
    }
    if (unlink("/tmp/large") != 0 || make_many() < 1000 || errno != ENOSPC) {
        return 1;
    }
    return 0;
}
