/*
 * Stands in for the agent in the PSP's own test: tells the first who connects what it finds around
 * itself, then waits for the connection to close and ends with 7, so that the test sees its end.
 */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/evidence/sim-device.h"

static int open_descriptors(void)
{
    int n = 0;
    for (int fd = 0; fd < 256; fd++)
        n += fcntl(fd, F_GETFD) >= 0;
    return n;
}

/* Lines of /proc/net/dev behind its two of heading: the loopback alone where there is a network
 * namespace. */
static int interfaces(void)
{
    int n = -2;
    char line[512];
    FILE *f = fopen("/proc/net/dev", "re");
    while (f && fgets(line, sizeof(line), f))
        n++;
    if (f)
        fclose(f);
    return n;
}

int main(int argc, char **argv)
{
    char text[512];
    int fds = open_descriptors();
    struct stat st;
    bool sees_host = stat("/etc", &st) == 0 || stat("/home", &st) == 0;
    uint8_t data[CVM_REPORT_DATA_LEN] = "asked by the stand-in", request[CVM_SIM_REQUEST_LEN];
    static uint8_t answer[CVM_SIM_RESPONSE_MAX];
    cvm_sim_request_write(data, request);
    if (send(4, request, sizeof(request), 0) != sizeof(request))
        return 3;
    ssize_t len = recv(4, answer, sizeof(answer), 0);
    int n = snprintf(text, sizeof(text),
                     "args=%d %s %s %s %s|fds=%d|interfaces=%d|host=%d|env=%s|pid=%d\n", argc,
                     argc > 1 ? argv[1] : "", argc > 2 ? argv[2] : "", argc > 3 ? argv[3] : "",
                     argc > 4 ? argv[4] : "", fds, interfaces(), sees_host,
                     environ[0] ? "some" : "none", (int)getpid());
    int c = accept(3, NULL, NULL);
    if (c < 0 || len <= 0 || write(c, text, (size_t)n) != n || write(c, answer, (size_t)len) != len)
        return 4;
    shutdown(c, SHUT_WR);
    while (read(c, text, sizeof(text)) > 0)
        ;
    return 7;
}
