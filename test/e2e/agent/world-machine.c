/*
 * A world in a virtual machine: QEMU with an emulated processor, vhost-device-vsock for the line to
 * it, and the software PSP in a child of ours, which the guest reaches at port 1025. The image is
 * what test/attack/machine/images made of the folder `world_image`.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>

#include <cmocka.h>

#include "core/base/cursor.h"
#include "core/evidence/measure-sim.h"
#include "orchestrator/psp/serve.h"
#include "orchestrator/transport/unix-socket.h"
#include "test/e2e/agent/world-internal.h"

#define QEMU "/usr/bin/qemu-system-x86_64"
#define BOOT_MS 120000

const char *world_backend;

static int read_whole(int fd, void *buf, size_t len)
{
    for (size_t at = 0; at < len;) {
        ssize_t n = read(fd, (uint8_t *)buf + at, len - at);
        if (n <= 0)
            return -1;
        at += (size_t)n;
    }
    return 0;
}

/* Each packet comes behind its length. */
static void answer_guest(const struct cvm_psp *p, int fd)
{
    uint8_t length[4], request[CVM_SIM_REQUEST_LEN + 1];
    while (read_whole(fd, length, sizeof length) == 0) {
        struct cvm_cursor c = cvm_cursor(length, sizeof length);
        uint32_t len = cvm_cursor_u32be(&c);
        CVM_AUTO_BUF struct cvm_buf answer = {0}, framed = {0};
        if (len > sizeof request || read_whole(fd, request, len) < 0)
            return;
        cvm_psp_answer(p, request, len, &answer);
        cvm_buf_append_u32be(&framed, (uint32_t)answer.len);
        cvm_buf_append(&framed, answer.data, answer.len);
        if (write(fd, framed.data, framed.len) != (ssize_t)framed.len)
            return;
    }
}

static _Noreturn void serve_reports(int listener, const uint8_t *measurement,
                                    const struct cvm_digest *host_data)
{
    struct cvm_error err;
    struct cvm_psp p = {.log = stderr};
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (cvm_issuer_new(&p.issuer, time(NULL), &err) < 0)
        _exit(1);
    memcpy(p.measurement, measurement, sizeof p.measurement);
    memcpy(p.host_data, host_data->b, sizeof p.host_data);
    struct pollfd guest = {.fd = listener, .events = POLLIN};
    if (poll(&guest, 1, BOOT_MS) == 1)
        answer_guest(&p, accept(listener, NULL, NULL));
    _exit(0);
}

pid_t world_serve_reports(const char *folder, const uint8_t *measurement,
                          const struct cvm_digest *host_data)
{
    struct cvm_error err;
    CVM_AUTO_FREE char *path = cvm_printf("%s/v_1025", folder);
    CVM_AUTO_CLOSE int listener = cvm_unix_listen(path, &err);
    world_must(listener, &err);
    pid_t pid = fork();
    assert_int_not_equal(pid, -1);
    if (pid == 0)
        serve_reports(listener, measurement, host_data);
    return pid;
}

int world_connect_guest(const char *folder)
{
    struct cvm_error err;
    static const char hello[] = "CONNECT 1024\n";
    CVM_AUTO_FREE char *path = cvm_printf("%s/v", folder);
    CVM_AUTO_CLOSE int fd = cvm_unix_connect(path, &err);
    if (fd < 0 || write(fd, hello, sizeof hello - 1) != sizeof hello - 1)
        return -1;
    for (char byte = 0; byte != '\n';)
        if (read(fd, &byte, 1) != 1)
            return -1;
    return CVM_TAKE_FD(fd);
}

static char *image_of_machine(void)
{
    return cvm_printf("%s-machine", world_image);
}

void world_machine_measure(uint8_t ret[CVM_SHA384_LEN])
{
    struct cvm_error err;
    CVM_AUTO_FREE char *image = image_of_machine();
    world_must(cvm_measure_sim_vm_folder(image, WORLD_MACHINE_VCPUS, WORLD_MACHINE_MIB, ret, &err),
               &err);
}

static pid_t start_program(char **argv, const char *log)
{
    pid_t pid;
    char *envp[] = {NULL};
    posix_spawn_file_actions_t actions;
    assert_int_equal(posix_spawn_file_actions_init(&actions), 0);
    posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_addopen(&actions, 1, log, O_WRONLY | O_CREAT | O_APPEND, 0600);
    posix_spawn_file_actions_adddup2(&actions, 1, 2);
    int r = posix_spawn(&pid, argv[0], &actions, NULL, argv, envp);
    posix_spawn_file_actions_destroy(&actions);
    if (r != 0)
        fail_msg("%s: %s", argv[0], strerror(r));
    return pid;
}

static void start_backend(struct world *w)
{
    CVM_AUTO_FREE char *line = cvm_printf("%s/vhost", w->folder);
    CVM_AUTO_FREE char *sockets = cvm_printf("%s/v", w->folder);
    CVM_AUTO_FREE char *log = cvm_printf("%s/backend", w->folder);
    char *argv[] = {(char *)world_backend, "--guest-cid", "3", "--socket", line,
                    "--uds-path",          sockets,       NULL};
    w->backend = start_program(argv, log);
    struct stat st;
    for (int i = 0; stat(line, &st) < 0; i++) {
        if (i == 1000)
            fail_msg("%s does not start", world_backend);
        poll(NULL, 0, 10);
    }
}

static void start_machine(struct world *w)
{
    CVM_AUTO_FREE char *image = image_of_machine();
    CVM_AUTO_FREE char *kernel = cvm_printf("%s/kernel", image);
    CVM_AUTO_FREE char *initramfs = cvm_printf("%s/initramfs", image);
    CVM_AUTO_FREE char *path = cvm_printf("%s/cmdline", image);
    CVM_AUTO_FREE char *memory =
        cvm_printf("memory-backend-memfd,id=ram,size=%dM,share=on", WORLD_MACHINE_MIB);
    CVM_AUTO_FREE char *mib = cvm_printf("%d", WORLD_MACHINE_MIB);
    CVM_AUTO_FREE char *vcpus = cvm_printf("%d", WORLD_MACHINE_VCPUS);
    CVM_AUTO_FREE char *vsock = cvm_printf("socket,id=vsock,path=%s/vhost", w->folder);
    CVM_AUTO_FREE char *console = cvm_printf("file:%s/agent.log", w->folder);
    CVM_AUTO_FREE char *log = cvm_printf("%s/qemu", w->folder);
    char cmdline[CVM_SIM_CMDLINE_MAX] = "";
    CVM_AUTO_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t len = fd < 0 ? -1 : read(fd, cmdline, sizeof cmdline - 1);
    if (len <= 0)
        fail_msg("no image %s: test/attack/machine/images makes it", image);
    char *argv[] = {QEMU,         "-nodefaults",
                    "-display",   "none",
                    "-no-reboot", "-no-user-config",
                    "-machine",   "q35,accel=tcg,memory-backend=ram",
                    "-cpu",       "max",
                    "-smp",       vcpus,
                    "-m",         mib,
                    "-object",    memory,
                    "-chardev",   vsock,
                    "-device",    "vhost-user-vsock-pci-non-transitional,chardev=vsock",
                    "-serial",    console,
                    "-kernel",    kernel,
                    "-initrd",    initramfs,
                    "-append",    cmdline,
                    NULL};
    w->psp = start_program(argv, log);
}

static void await_guest(struct world *w)
{
    for (int ms = 0; ms < BOOT_MS; ms += 20) {
        CVM_AUTO_BUF struct cvm_buf console = {0};
        world_log(w, &console);
        if (strstr(cvm_buf_cstr(&console), "2cvm-agent: ready"))
            return;
        if (waitpid(w->psp, NULL, WNOHANG) == w->psp)
            fail_msg("the machine has ended: %s", cvm_buf_cstr(&console));
        poll(NULL, 0, 20);
    }
    fail_msg("the machine does not come up");
}

static void remove_files(struct world *w)
{
    static const char *const files[] = {"v", "v_1025", "vhost", "backend", "qemu"};
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        CVM_AUTO_FREE char *path = cvm_printf("%s/%s", w->folder, files[i]);
        unlink(path);
    }
}

/* The host is hostile: it asks nobody. */
static void end_program(pid_t *pid)
{
    if (*pid <= 0)
        return;
    kill(*pid, SIGKILL);
    waitpid(*pid, NULL, 0);
    *pid = 0;
}

void world_machine_end(struct world *w)
{
    end_program(&w->psp);
    end_program(&w->backend);
    end_program(&w->reports);
    remove_files(w);
}

void world_machine_start(struct world *w, const struct cvm_digest *host_data)
{
    uint8_t measurement[CVM_SHA384_LEN];
    w->psp = 0; /* one that was there has been waited for */
    world_machine_end(w);
    CVM_AUTO_FREE char *console = cvm_printf("%s/agent.log", w->folder);
    unlink(console);
    world_machine_measure(measurement);
    w->reports = world_serve_reports(w->folder, measurement, host_data);
    start_backend(w);
    start_machine(w);
    await_guest(w);
}
