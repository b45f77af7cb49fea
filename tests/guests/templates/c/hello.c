/* A function: standard input is the body of the request, standard output that of the response, and the
 * arguments are the values of the query. What goes to standard error is in the log. */
#include <stdio.h>

int main(int argc, char **argv) {
    const char *name = argc > 1 ? argv[1] : "world";
    char buffer[4096];
    size_t bytes = 0, read;
    while ((read = fread(buffer, 1, sizeof buffer, stdin)) > 0) {
        bytes += read;
    }
    printf("Hello, %s! You sent %zu bytes.\n", name, bytes);
    return 0;
}
