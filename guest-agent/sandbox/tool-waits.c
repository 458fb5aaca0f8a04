/* What test-sandbox.c starts: says that it is there, then waits until nobody can write to it. */
#include <unistd.h>

int main(void)
{
    char byte = 'w';
    return write(1, &byte, 1) == 1 && read(0, &byte, 1) == 0 ? 0 : 1;
}
