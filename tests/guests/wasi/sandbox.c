/* What the tests of Node.js find when they start: files below /sandbox, which is a directory of /tmp.
 *
 * Linked to each of them. They name everything by absolute paths, and some write below /sandbox: so the directory is
 * given to the C library as if it had been preopened under that name. It holds what a script makes for them there,
 * but for links, which are relative to the directory that they lie in.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include <wasi/libc.h>

#define HERE "/tmp/sandbox"

static void check(int is_done, const char *what) {
    if (!is_done) {
        perror(what);
        abort();
    }
}

static void put(const char *path, const char *text) {
    FILE *file = fopen(path, "w");
    check(file != NULL && fputs(text, file) >= 0 && fclose(file) == 0, path);
}

static void point(const char *target, const char *path) { check(symlink(target, path) == 0, path); }

__attribute__((constructor)) static void prepare(void) {
    check(mkdir(HERE, 0700) == 0 && mkdir(HERE "/subdir", 0700) == 0, HERE);
    put("/tmp/outside.txt", "outside");
    put(HERE "/input.txt", "hello from input.txt\n");
    put(HERE "/input2.txt", "hello from input2.txt\n");
    put(HERE "/notadir", "");
    point("../input.txt", HERE "/subdir/input_link.txt");
    point("../../outside.txt", HERE "/subdir/outside.txt");
    point("loop2", HERE "/subdir/loop1");
    point("loop1", HERE "/subdir/loop2");
    int directory = open(HERE, O_RDONLY | O_DIRECTORY);
    check(directory >= 0, HERE);
    check(__wasilibc_register_preopened_fd(directory, "/sandbox") == 0, HERE);
}
