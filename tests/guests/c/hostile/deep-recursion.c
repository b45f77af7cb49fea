/* Uses up the stack that C has in linear memory.
 *
 *   argument  how deep to go, 100000 if there is none
 *   stdout    a sum of what was left at each depth
 */
#include <stdio.h>
#include <stdlib.h>

static int descend(volatile char *above, int depth) {
    volatile char here[512];
    here[depth % 512] = 1;
    int below = depth > 1 ? descend(here, depth - 1) : above[0];
    return below + here[depth % 512];
}

int main(int argc, char **argv) {
    volatile char top[1] = {1};
    printf("%d\n", descend(top, argc > 1 ? atoi(argv[1]) : 100000));
}
