typedef unsigned char u8;
volatile u8 port;
static u8 pattern[4] = {1, 3, 7, 15};
int sum(const u8 *p, int n) { int s = 0; while (n--) s += *p++; return s; }
int main(void) { for (u8 i = 0;; i++) port = pattern[i & 3] + sum(pattern, i & 3); }
