#include "orchestrator/psp/machine.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>

#include "core/base/clock.h"
#include "core/base/cursor.h"
#include "core/base/encode.h"

#define BACKEND_MS 10000
#define ARGUMENTS_MAX (1 << 20)

/* ---- the files ---- */

static int copy_bytes(int from, int to, const char *name, struct cvm_error *err)
{
    for (;;) {
        ssize_t n = sendfile(to, from, NULL, 1 << 20);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return cvm_fail_errno(err, "cannot copy %s", name);
        if (n == 0)
            return 0;
    }
}

/* A new file of the folder: 0400, this user's, whom QEMU runs as too. */
static int copy_file(int image, const char *folder, int dir, const char *name,
                     struct cvm_psp_copy *ret, struct cvm_error *err)
{
    CVM_AUTO_CLOSE int from = openat(image, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    struct stat st;
    if (from < 0 || fstat(from, &st) < 0)
        return cvm_fail_errno(err, "cannot open %s/%s", folder, name);
    CVM_ENSURE(S_ISREG(st.st_mode), err, CVM_E_PLATFORM, "%s/%s is not a file", folder, name);
    CVM_AUTO_CLOSE int to = openat(dir, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0400);
    if (to < 0)
        return cvm_fail_errno(err, "cannot make the copy of %s", name);
    CVM_GUARD(copy_bytes(from, to, name, err));
    close(CVM_TAKE_FD(to));
    /* Opened again only for reading, and hashed from there: after this it may not change. */
    CVM_AUTO_CLOSE int fd = openat(dir, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0 || fstat(fd, &ret->at) < 0)
        return cvm_fail_errno(err, "cannot open the copy of %s", name);
    CVM_GUARD(cvm_measure_fd(fd, ret->sha384, err));
    ret->fd = CVM_TAKE_FD(fd);
    return 0;
}

static int cut_newline(int dir, struct cvm_error *err)
{
    CVM_AUTO_CLOSE int fd = openat(dir, CVM_PSP_CMDLINE, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    char text[CVM_SIM_CMDLINE_MAX + 2];
    ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof text);
    if (n < 0)
        return cvm_fail_errno(err, "cannot read the command line");
    CVM_ENSURE((size_t)n < sizeof text, err, CVM_E_TOO_LARGE, "the command line is above %d bytes",
               CVM_SIM_CMDLINE_MAX);
    if (n > 0 && text[n - 1] == '\n' && fchmodat(dir, CVM_PSP_CMDLINE, 0600, 0) == 0) {
        CVM_AUTO_CLOSE int out = openat(dir, CVM_PSP_CMDLINE, O_WRONLY | O_CLOEXEC | O_NOFOLLOW);
        if (out < 0 || ftruncate(out, n - 1) < 0)
            return cvm_fail_errno(err, "cannot cut the command line's newline");
    }
    return 0;
}

static int copy_image(int dir, const char *folder, struct cvm_psp_machine *m, struct cvm_error *err)
{
    CVM_AUTO_CLOSE int image = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (image < 0)
        return cvm_fail_errno(err, "cannot open the image folder %s", folder);
    struct cvm_psp_copy cmdline = {.fd = -1};
    CVM_GUARD(copy_file(image, folder, dir, CVM_PSP_KERNEL, &m->kernel, err));
    CVM_GUARD(copy_file(image, folder, dir, CVM_PSP_INITRAMFS, &m->initramfs, err));
    CVM_GUARD(copy_file(image, folder, dir, CVM_PSP_CMDLINE, &cmdline, err));
    close(cmdline.fd);
    return cut_newline(dir, err);
}

/* ---- the other end of the machine's vsock ---- */

static int listen_device(int *ret, struct cvm_error *err)
{
    const struct sockaddr_un a = {.sun_family = AF_UNIX, .sun_path = CVM_PSP_DEVICE};
    CVM_AUTO_CLOSE int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || fchmod(fd, 0600) < 0 || bind(fd, (const struct sockaddr *)&a, sizeof a) < 0 ||
        listen(fd, 4) < 0)
        return cvm_fail_errno(err, "cannot listen for the guest's evidence device");
    *ret = CVM_TAKE_FD(fd);
    return 0;
}

static int start_backend(int dir, const char *program, struct cvm_psp_machine *m,
                         struct cvm_error *err)
{
    CVM_AUTO_CLOSE int log =
        openat(dir, "vsock.log", O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    CVM_AUTO_CLOSE int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
    if (log < 0 || null < 0)
        return cvm_fail_errno(err, "cannot open the vsock backend's log");
    pid_t parent = getpid(), pid = fork();
    if (pid < 0)
        return cvm_fail_errno(err, "cannot start a process");
    if (pid == 0) {
        sigset_t none;
        sigemptyset(&none);
        /* It ends with us, whatever ends us. */
        if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || getppid() != parent)
            _exit(127);
        sigprocmask(SIG_SETMASK, &none, NULL);
        umask(0177);
        dup2(null, 0);
        dup2(log, 1);
        dup2(log, 2);
        /* Names relative to the folder: sun_path is short. The guest's own CID is for itself only;
         * every machine has a backend of its own. */
        char *argv[] = {
            (char *)program,       (char *)"--guest-cid", (char *)"3",           (char *)"--socket",
            (char *)CVM_PSP_VHOST, (char *)"--uds-path",  (char *)CVM_PSP_VSOCK, NULL};
        char *envp[] = {NULL};
        execve(program, argv, envp);
        dprintf(2, "%s: %s\n", program, strerror(errno));
        _exit(127);
    }
    m->backend = pid;
    m->backend_pidfd = pidfd_open(pid, 0);
    return m->backend_pidfd < 0 ? cvm_fail_errno(err, "cannot watch the vsock backend") : 0;
}

static int wait_backend(int dir, int notify, const struct cvm_psp_machine *m, struct cvm_error *err)
{
    int64_t end = cvm_now_ms() + BACKEND_MS;
    while (faccessat(dir, CVM_PSP_VHOST, F_OK, AT_SYMLINK_NOFOLLOW) < 0) {
        struct pollfd p[2] = {{.fd = notify, .events = POLLIN},
                              {.fd = m->backend_pidfd, .events = POLLIN}};
        int64_t left = end - cvm_now_ms();
        int rc = poll(p, 2, left > 0 ? (int)left : 0);
        if (rc < 0 && errno == EINTR)
            continue;
        CVM_ENSURE(rc > 0 && !p[1].revents, err, CVM_E_PLATFORM,
                   "vhost-device-vsock does not start; see vsock.log in the isolate's folder");
        char events[4096];
        if (read(notify, events, sizeof events) < 0 && errno != EAGAIN)
            return cvm_fail_errno(err, "cannot watch the isolate's folder");
    }
    return 0;
}

int cvm_psp_machine_prepare(int state_dir, const char *image, const char *backend,
                            const char *vhost, struct cvm_psp_machine *ret, struct cvm_error *err)
{
    if (fchdir(state_dir) < 0)
        return cvm_fail_errno(err, "cannot enter the isolate's folder");
    ret->vhost = vhost;
    CVM_GUARD(copy_image(state_dir, image, ret, err));
    CVM_GUARD(listen_device(&ret->listener, err));
    CVM_AUTO_CLOSE int notify = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
    if (notify < 0 || inotify_add_watch(notify, ".", IN_CREATE | IN_MOVED_TO) < 0)
        return cvm_fail_errno(err, "cannot watch the isolate's folder");
    CVM_GUARD(start_backend(state_dir, backend, ret, err));
    return wait_backend(state_dir, notify, ret, err);
}

void cvm_psp_machine_end(struct cvm_psp_machine *m)
{
    if (m->backend_pidfd >= 0)
        (void)pidfd_send_signal(m->backend_pidfd, SIGKILL, NULL, 0);
    if (m->backend > 0)
        while (waitpid(m->backend, NULL, 0) < 0 && errno == EINTR)
            ;
    int fds[] = {m->listener, m->backend_pidfd, m->kernel.fd, m->initramfs.fd};
    for (size_t i = 0; i < sizeof fds / sizeof fds[0]; i++)
        if (fds[i] >= 0)
            close(fds[i]);
    /* A machine that runs has read them; nobody starts another from them. */
    (void)unlink(CVM_PSP_VHOST);
    (void)unlink(CVM_PSP_VSOCK);
    (void)unlink(CVM_PSP_DEVICE);
    if (m->kernel.fd >= 0)
        (void)unlink(CVM_PSP_KERNEL);
    if (m->initramfs.fd >= 0)
        (void)unlink(CVM_PSP_INITRAMFS);
    *m = (struct cvm_psp_machine)CVM_PSP_MACHINE_NONE;
}

/* ---- what was started ---- */

/* Nothing has touched the file that the machine was started from since it was hashed. */
static int same_file(const struct cvm_psp_copy *copy, const char *path, struct cvm_error *err)
{
    struct stat by_path, held;
    if (stat(path, &by_path) < 0 || fstat(copy->fd, &held) < 0)
        return cvm_fail_errno(err, "cannot look at %s", path);
    CVM_ENSURE(by_path.st_dev == held.st_dev && by_path.st_ino == held.st_ino, err, CVM_E_PLATFORM,
               "the machine was started from %s, which is not the copy that was measured", path);
    CVM_ENSURE(held.st_ctim.tv_sec == copy->at.st_ctim.tv_sec &&
                   held.st_ctim.tv_nsec == copy->at.st_ctim.tv_nsec &&
                   held.st_size == copy->at.st_size,
               err, CVM_E_PLATFORM, "%s was changed after it was measured", path);
    return 0;
}

/* Appends /proc/PID/cmdline of a process of this user. */
static int read_arguments(int proc, const char *pid, struct cvm_buf *ret)
{
    char path[64];
    struct stat st;
    if (fstatat(proc, pid, &st, 0) < 0 || st.st_uid != geteuid())
        return -1;
    snprintf(path, sizeof path, "%.20s/cmdline", pid);
    CVM_AUTO_CLOSE int fd = openat(proc, path, O_RDONLY | O_CLOEXEC);
    char chunk[4096];
    for (ssize_t n; fd >= 0 && (n = read(fd, chunk, sizeof chunk)) != 0;) {
        if (n < 0 || ret->len > ARGUMENTS_MAX)
            return -1;
        cvm_buf_append(ret, chunk, (size_t)n);
    }
    return 0;
}

static void cleanup_dir(DIR **d)
{
    if (*d)
        closedir(*d);
}

/* 0: a name of /proc that is no process. */
static pid_t process_id(const char *name)
{
    char *end;
    long v = strtol(name, &end, 10);
    return name[0] >= '1' && name[0] <= '9' && !*end && v <= INT32_MAX ? (pid_t)v : 0;
}

/* The one QEMU at our socket: a descriptor of it, its arguments. */
static int find_machine(const char *vhost, struct cvm_buf *ret, struct cvm_psp_started *ret_started,
                        struct cvm_error *err)
{
    CVM_CLEANUP(cleanup_dir) DIR *proc = opendir("/proc");
    if (!proc)
        return cvm_fail_errno(err, "cannot read /proc");
    CVM_AUTO_CLOSE int found = -1;
    struct dirent *e;
    while ((e = readdir(proc))) {
        CVM_AUTO_BUF struct cvm_buf arguments = {0};
        struct cvm_psp_started s;
        pid_t pid = process_id(e->d_name);
        CVM_AUTO_CLOSE int pidfd = pid ? pidfd_open(pid, 0) : -1;
        if (pidfd < 0 || read_arguments(dirfd(proc), e->d_name, &arguments) < 0)
            continue;
        int rc = cvm_psp_started((const char *)arguments.data, arguments.len, vhost, &s, err);
        CVM_GUARD(rc);
        if (rc == 0)
            continue;
        CVM_ENSURE(found < 0, err, CVM_E_PLATFORM, "two processes use the machine's socket");
        found = CVM_TAKE_FD(pidfd);
        *ret = arguments;
        arguments = (struct cvm_buf){0};
        *ret_started = s; /* still of the same memory */
    }
    CVM_ENSURE(found >= 0, err, CVM_E_PLATFORM, "no process was started with the machine's socket");
    return CVM_TAKE_FD(found);
}

/* Returns a pidfd of QEMU. */
static int measure_started(struct cvm_psp *p, const struct cvm_psp_machine *m,
                           struct cvm_error *err)
{
    CVM_AUTO_BUF struct cvm_buf arguments = {0};
    struct cvm_psp_started s = {0};
    CVM_AUTO_CLOSE int qemu = find_machine(m->vhost, &arguments, &s, err);
    CVM_GUARD(qemu);
    CVM_GUARD(same_file(&m->kernel, s.kernel, err));
    CVM_GUARD(same_file(&m->initramfs, s.initrd, err));
    CVM_ENSURE(strlen(s.append) <= CVM_SIM_CMDLINE_MAX, err, CVM_E_TOO_LARGE,
               "the command line is above %d bytes", CVM_SIM_CMDLINE_MAX);
    struct cvm_sim_vm_image image;
    memcpy(image.file[0], m->kernel.sha384, CVM_SHA384_LEN);
    memcpy(image.file[1], m->initramfs.sha384, CVM_SHA384_LEN);
    cvm_sha384(s.append, strlen(s.append), image.file[2]);
    cvm_measure_sim_vm(&image, s.vcpus, s.memory_mib, p->measurement);
    CVM_AUTO_FREE char *text = cvm_hex(p->measurement, CVM_SHA384_LEN);
    cvm_psp_log(p, "SIMULATED machine of %u processors and %llu MiB, measurement sha384:%s",
                s.vcpus, (unsigned long long)s.memory_mib, text);
    return CVM_TAKE_FD(qemu);
}

/* ---- serving ---- */

struct device {
    int fd;
    size_t have;
    uint8_t in[4 + CVM_SIM_REQUEST_LEN + 1];
};

static int write_all(int fd, const uint8_t *data, size_t len)
{
    while (len > 0) {
        ssize_t n = send(fd, data, len, MSG_NOSIGNAL);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return -1;
        data += n;
        len -= (size_t)n;
    }
    return 0;
}

static int answer(const struct cvm_psp *p, const struct device *d, size_t len)
{
    CVM_AUTO_BUF struct cvm_buf response = {0}, framed = {0};
    cvm_psp_answer(p, d->in + 4, len, &response);
    cvm_buf_append_u32be(&framed, (uint32_t)response.len);
    cvm_buf_append(&framed, response.data, response.len);
    return write_all(d->fd, framed.data, framed.len);
}

/* Whether the guest still holds its end, and speaks as it should. */
static bool serve_device(const struct cvm_psp *p, struct device *d)
{
    ssize_t n = recv(d->fd, d->in + d->have, sizeof d->in - d->have, MSG_DONTWAIT);
    if (n < 0)
        return errno == EAGAIN || errno == EINTR;
    if (n == 0)
        return false;
    d->have += (size_t)n;
    while (d->have >= 4) {
        struct cvm_cursor c = cvm_cursor(d->in, 4);
        uint32_t len = cvm_cursor_u32be(&c);
        if (len > CVM_SIM_REQUEST_LEN) {
            cvm_psp_log(p, "refused: a request of %u bytes", len);
            return false;
        }
        if (d->have < 4 + len)
            return true;
        if (answer(p, d, len) < 0)
            return false;
        d->have -= 4 + len;
        memmove(d->in, d->in + 4 + len, d->have);
    }
    return true;
}

/* Only what comes through our own backend is a guest. */
static int accept_guest(const struct cvm_psp_machine *m, struct cvm_error *err)
{
    CVM_AUTO_CLOSE int fd = accept4(m->listener, NULL, NULL, SOCK_CLOEXEC);
    if (fd < 0)
        return cvm_fail_errno(err, "cannot accept the guest's connection");
    struct ucred peer;
    socklen_t len = sizeof peer;
    CVM_ENSURE(getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) == 0 && peer.pid == m->backend,
               err, CVM_E_PLATFORM, "somebody who is not the guest asked for a report");
    return CVM_TAKE_FD(fd);
}

static int live(struct cvm_psp *p, struct cvm_psp_machine *m, int signals, struct device *d,
                int *qemu, struct cvm_error *err)
{
    for (;;) {
        struct pollfd fds[] = {{.fd = signals, .events = POLLIN},
                               {.fd = m->backend_pidfd, .events = POLLIN},
                               {.fd = *qemu, .events = POLLIN},
                               {.fd = m->listener, .events = POLLIN},
                               {.fd = d->fd, .events = POLLIN}};
        if (poll(fds, 5, -1) < 0 && errno != EINTR)
            return cvm_fail_errno(err, "cannot wait for the machine");
        if (fds[0].revents)
            return cvm_psp_log(p, "told to end"), 0;
        CVM_ENSURE(!fds[1].revents, err, CVM_E_PLATFORM, "vhost-device-vsock has ended");
        if (fds[2].revents)
            return cvm_psp_log(p, "the machine has ended"), 0;
        struct cvm_error why = {0};
        if (fds[3].revents) {
            int fd = accept_guest(m, &why);
            if (fd < 0) {
                cvm_psp_log(p, "refused: %s", why.message);
                continue;
            }
            d->fd = fd;
            *qemu = measure_started(p, m, err);
            CVM_GUARD(*qemu);
            /* A guest that starts anew in the same machine is another session: there is no second
             * device. */
            close(CVM_TAKE_FD(m->listener));
            (void)unlink(CVM_PSP_DEVICE);
        } else if (fds[4].revents && !serve_device(p, d)) {
            close(CVM_TAKE_FD(d->fd));
        }
    }
}

int cvm_psp_machine_serve(struct cvm_psp *p, struct cvm_psp_machine *m, struct cvm_error *err)
{
    CVM_AUTO_CLOSE int signals = cvm_psp_signals(err);
    CVM_GUARD(signals);
    struct device d = {.fd = -1};
    CVM_AUTO_CLOSE int qemu = -1;
    int rc = live(p, m, signals, &d, &qemu, err);
    if (d.fd >= 0)
        close(d.fd);
    return rc;
}
