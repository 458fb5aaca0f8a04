/*
 * An init for measurements: says what memory the guest has left, and serves the raw line at the
 * agent's port, against which the agent's figures are put. One connection at a time; the first byte
 * chooses: 'e' sends back what comes, 's' swallows eight megabytes at a time and answers with one
 * byte, 'f' sends without end.
 */
#include <fcntl.h>
#include <linux/vm_sockets.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#define BLOCK                                                                                      \
    16384 /* above 32 KiB vhost-device-vsock 0.3.0 stalls; the agent's frames are as long */
#define SWALLOWED (8 << 20)

static char block[BLOCK];

static void say_memory(int console)
{
    char text[1024] = "";
    mkdir("/proc", 0555);
    mount("proc", "/proc", "proc", 0, NULL);
    int fd = open("/proc/meminfo", O_RDONLY);
    if (read(fd, text, sizeof text - 1) < 0)
        return;
    unsigned long total = 0, available = 0;
    char *t = strstr(text, "MemTotal:"), *a = strstr(text, "MemAvailable:");
    if (t && a && sscanf(t, "MemTotal: %lu", &total) == 1 &&
        sscanf(a, "MemAvailable: %lu", &available) == 1)
        dprintf(console, "memory: total %lu kB, available %lu kB\n", total, available);
    close(fd);
}

static void echo(int fd)
{
    for (ssize_t n; (n = read(fd, block, sizeof block)) > 0;)
        if (write(fd, block, (size_t)n) != n)
            return;
}

static void swallow(int fd)
{
    size_t had = 0;
    for (ssize_t n; (n = read(fd, block, sizeof block)) > 0;) {
        had += (size_t)n;
        if (had < SWALLOWED)
            continue;
        had -= SWALLOWED;
        if (write(fd, block, 1) != 1)
            return;
    }
}

static void flood(int fd)
{
    while (write(fd, block, sizeof block) > 0)
        ;
}

int main(void)
{
    const struct sockaddr_vm any = {
        .svm_family = AF_VSOCK, .svm_port = 1024, .svm_cid = VMADDR_CID_ANY};
    int console = open("/dev/console", O_WRONLY | O_NOCTTY);
    int fd = socket(AF_VSOCK, SOCK_STREAM | SOCK_CLOEXEC, 0);
    say_memory(console);
    if (bind(fd, (const struct sockaddr *)&any, sizeof any) == 0 && listen(fd, 4) == 0)
        dprintf(console, "2cvm-agent: ready\n");
    for (;;) {
        int guest = accept(fd, NULL, NULL);
        char how = 0;
        if (read(guest, &how, 1) == 1)
            (how == 'e' ? echo : how == 's' ? swallow : flood)(guest);
        close(guest);
    }
}
