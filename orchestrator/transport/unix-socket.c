#include "orchestrator/transport/unix-socket.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

/* The folder is opened and the socket named below /proc/self/fd, so that only the last part of the
 * path counts. *ret_dir must stay open while the address is used. */
static int address(const char *path, struct sockaddr_un *ret, int *ret_dir, struct cvm_error *err)
{
    const char *slash = strrchr(path, '/');
    CVM_AUTO_FREE char *dir =
        slash ? cvm_printf("%.*s", (int)(slash - path + 1), path) : cvm_strdup(".");
    const char *name = slash ? slash + 1 : path;
    *ret = (struct sockaddr_un){.sun_family = AF_UNIX};
    CVM_AUTO_CLOSE int fd = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return cvm_fail_errno(err, "cannot open the folder of the socket '%s'", path);
    int n = snprintf(ret->sun_path, sizeof ret->sun_path, "/proc/self/fd/%d/%s", fd, name);
    CVM_ENSURE(*name && n > 0 && (size_t)n < sizeof ret->sun_path, err, CVM_E_USAGE,
               "the socket's name '%s' is empty or too long", name);
    *ret_dir = CVM_TAKE_FD(fd);
    return 0;
}

int cvm_unix_connect(const char *path, struct cvm_error *err)
{
    struct sockaddr_un sa;
    CVM_AUTO_CLOSE int dir = -1;
    CVM_GUARD(address(path, &sa, &dir, err));
    CVM_AUTO_CLOSE int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return cvm_fail_errno(err, "cannot make a socket");
    if (connect(fd, (struct sockaddr *)&sa, sizeof sa) < 0)
        return cvm_fail(err, CVM_E_CONNECTION, "nobody listens on '%s': %s", path, strerror(errno));
    return CVM_TAKE_FD(fd);
}

/* Whether the process that listens there lives. Its socket alone may live a moment longer, in a
 * child that has not executed its program yet. */
static bool served(int connected)
{
    struct ucred peer;
    socklen_t len = sizeof peer;
    return getsockopt(connected, SOL_SOCKET, SO_PEERCRED, &peer, &len) < 0 ||
           kill(peer.pid, 0) == 0 || errno != ESRCH;
}

int cvm_unix_listen(const char *path, struct cvm_error *err)
{
    struct stat st;
    if (lstat(path, &st) == 0) {
        CVM_ENSURE(S_ISSOCK(st.st_mode), err, CVM_E_EXISTS, "'%s' is there and is no socket", path);
        CVM_AUTO_CLOSE int other = cvm_unix_connect(path, NULL);
        CVM_ENSURE(other < 0 || !served(other), err, CVM_E_EXISTS, "another program serves '%s'",
                   path);
        if (unlink(path) < 0)
            return cvm_fail_errno(err, "cannot replace the dead socket '%s'", path);
    }
    struct sockaddr_un sa;
    CVM_AUTO_CLOSE int dir = -1;
    CVM_GUARD(address(path, &sa, &dir, err));
    CVM_AUTO_CLOSE int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return cvm_fail_errno(err, "cannot make a socket");
    /* On an unbound socket, fchmod sets the mode that bind() gives the file. */
    if (fchmod(fd, 0600) < 0 || bind(fd, (struct sockaddr *)&sa, sizeof sa) < 0 ||
        listen(fd, 64) < 0)
        return cvm_fail_errno(err, "cannot listen on '%s'", path);
    return CVM_TAKE_FD(fd);
}
