/* Copies a file to another in capitals.
 *
 *   arguments   FROM, TO, the exit code
 *   stdout      how many bytes were copied
 *   exit        the code; 100 if a file cannot be opened, read or written
 */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>

int main(int argc, char **argv) {
    if (argc != 4) {
        fprintf(stderr, "usage: capitals FROM TO CODE\n");
        return 100;
    }
    FILE *from = fopen(argv[1], "r"), *to = fopen(argv[2], "w");
    if (from == NULL || to == NULL) {
        perror(from == NULL ? argv[1] : argv[2]);
        return 100;
    }
    long copied = 0;
    for (int c; (c = getc(from)) != EOF; copied++) {
        if (putc(toupper(c), to) == EOF) {
            break;
        }
    }
    if (ferror(from) || fclose(to) != 0) {
        perror("copy");
        return 100;
    }
    printf("%ld bytes\n", copied);
    return atoi(argv[3]);
}
