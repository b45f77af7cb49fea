// What programs in C ask of POSIX and wasi-libc leaves out: here it fails, as it does where a system lacks it.
#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/types.h>

static int missing(void) {
    errno = ENOSYS;
    return -1;
}

int chmod(const char *path, mode_t mode) { return (void)path, (void)mode, missing(); }
int fchmod(int file, mode_t mode) { return (void)file, (void)mode, missing(); }
int chown(const char *path, uid_t user, gid_t group) { return (void)path, (void)user, (void)group, missing(); }
int fchown(int file, uid_t user, gid_t group) { return (void)file, (void)user, (void)group, missing(); }
unsigned alarm(unsigned seconds) { return (void)seconds, (void)missing(), 0; }
FILE *tmpfile(void) { return (void)missing(), NULL; }
FILE *popen(const char *command, const char *mode) { return (void)command, (void)mode, (void)missing(), NULL; }
int pclose(FILE *stream) { return (void)stream, missing(); }
