/* Looks at files: those that the function was deployed with, at /, and those that it makes, in /tmp.
 *
 *   argument 1   list, show, line or keep; without it nothing happens
 *   argument 2   list, show, line: a path; keep: a text
 *   argument 3   line: the number of a line of eight bytes
 *   stdout       list: names in order, with sizes, folders with a slash; show: what is in the file;
 *                line: that line; keep: the text, out of a file
 *   exit         0, 1 if something cannot be done (the log says what), 2 for another argument 1
 */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { LINE_BYTES = 8, LONGEST_PATH = 512 };

static int failed(const char *what) {
    fprintf(stderr, "files: %s: %s\n", what, strerror(errno));
    return 1;
}

static int show(const char *path) {
    FILE *file = fopen(path, "r");
    if (file == NULL) {
        return failed(path);
    }
    char buffer[1024];
    size_t bytes;
    while ((bytes = fread(buffer, 1, sizeof buffer, file)) > 0) {
        fwrite(buffer, 1, bytes, stdout);
    }
    int error = ferror(file);
    fclose(file);
    return error ? failed(path) : 0;
}

static int line(const char *path, long number) {
    FILE *file = fopen(path, "r");
    if (file == NULL) {
        return failed(path);
    }
    char text[LINE_BYTES];
    int found = fseek(file, number * LINE_BYTES, SEEK_SET) == 0 &&
                fread(text, 1, sizeof text, file) == sizeof text;
    fclose(file);
    if (!found) {
        return failed("no such line");
    }
    fwrite(text, 1, sizeof text, stdout);
    return 0;
}

static int print_entry(const char *folder, const char *name) {
    char path[LONGEST_PATH];
    struct stat status;
    snprintf(path, sizeof path, "%s/%s", strcmp(folder, "/") == 0 ? "" : folder, name);
    if (lstat(path, &status) != 0) {
        return failed(path);
    }
    if (S_ISDIR(status.st_mode)) {
        printf("%s/\n", name);
    } else {
        printf("%s %lld\n", name, (long long)status.st_size);
    }
    return 0;
}

static int list(const char *folder) {
    struct dirent **entries;
    int count = scandir(folder, &entries, NULL, alphasort);
    if (count < 0) {
        return failed(folder);
    }
    int result = 0;
    for (int i = 0; i < count; i++) {
        const char *name = entries[i]->d_name;
        if (strcmp(name, ".") != 0 && strcmp(name, "..") != 0) {
            result |= print_entry(folder, name);
        }
    }
    return result;
}

/* Writes the text in two files' worth of detours, and shows it. */
static int keep(const char *text) {
    size_t half = strlen(text) / 2;
    if (mkdir("/tmp/box", 0777) != 0) {
        return failed("/tmp/box");
    }
    FILE *file = fopen("/tmp/box/draft", "w");
    if (file == NULL || fwrite(text, 1, half, file) != half || fclose(file) != 0) {
        return failed("/tmp/box/draft");
    }
    file = fopen("/tmp/box/draft", "a");
    if (file == NULL || fputs(text + half, file) < 0 || fclose(file) != 0) {
        return failed("/tmp/box/draft, the second time");
    }
    if (rename("/tmp/box/draft", "/tmp/kept") != 0 || rmdir("/tmp/box") != 0) {
        return failed("/tmp/kept");
    }
    return show("/tmp/kept") || unlink("/tmp/kept");
}

int main(int argc, char **argv) {
    const char *what = argc > 1 ? argv[1] : "";
    const char *path = argc > 2 ? argv[2] : "/";
    if (*what == '\0') {
        return 0;
    }
    if (strcmp(what, "list") == 0) {
        return list(path);
    }
    if (strcmp(what, "show") == 0) {
        return show(path);
    }
    if (strcmp(what, "line") == 0) {
        return line(path, argc > 3 ? atol(argv[3]) : 0);
    }
    return strcmp(what, "keep") == 0 ? keep(path) : 2;
}
