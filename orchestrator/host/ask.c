/* Asks the machine what no file tells. */
#include <errno.h>
#include <fcntl.h>
#include <linux/psp-sev.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/un.h>

#include "orchestrator/host/internal.h"
#include "orchestrator/process/ask.h"

/* In newer headers than Debian 12's; the numbers are Linux's and stay. */
#define SNP_PLATFORM_STATUS_CMD 9

const char *const cvm_host_nodes[] = {CVM_HOST_KVM, CVM_HOST_SEV, CVM_HOST_VSOCK,
                                      "/run/libvirt/virtqemud-sock", "/run/libvirt/libvirt-sock"};
const size_t cvm_host_node_count = sizeof cvm_host_nodes / sizeof cvm_host_nodes[0];

static const char *errno_name(int e)
{
    const char *name = strerrorname_np(e);
    return name ? name : "EIO";
}

/* Devices are opened as a machine would; sockets connected to: one that is left over from a daemon
 * that has ended takes no connection. */
static const char *try_node(const char *path)
{
    struct stat st;
    if (stat(path, &st) < 0)
        return errno_name(errno);
    if (!S_ISSOCK(st.st_mode)) {
        CVM_AUTO_CLOSE int fd = open(path, O_RDWR | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
        return fd >= 0 ? "ok" : errno_name(errno);
    }
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    CVM_AUTO_CLOSE int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (strlen(path) >= sizeof a.sun_path)
        return "ENAMETOOLONG";
    snprintf(a.sun_path, sizeof a.sun_path, "%s", path);
    return fd >= 0 && connect(fd, (struct sockaddr *)&a, sizeof a) == 0 ? "ok" : errno_name(errno);
}

static void ask_nodes(json_t *answers)
{
    json_t *nodes = json_object();
    for (size_t i = 0; i < cvm_host_node_count; i++)
        json_object_set_new(nodes, cvm_host_nodes[i], json_string(try_node(cvm_host_nodes[i])));
    static const char *const SESSION[] = {"virtqemud-sock", "libvirt-sock"};
    for (size_t i = 0; i < sizeof SESSION / sizeof SESSION[0]; i++) {
        CVM_AUTO_FREE char *path = cvm_printf("/run/user/%u/libvirt/%s", getuid(), SESSION[i]);
        json_object_set_new(nodes, path, json_string(try_node(path)));
    }
    json_object_set_new(answers, "nodes", nodes);
}

static void ask_status(json_t *answers)
{
    uint8_t status[CVM_HOST_STATUS_LEN] = {0};
    struct sev_issue_cmd cmd = {.cmd = SNP_PLATFORM_STATUS_CMD, .data = (uintptr_t)status};
    CVM_AUTO_CLOSE int fd = open(CVM_HOST_SEV, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return;
    if (ioctl(fd, SEV_ISSUE_CMD, &cmd) < 0) {
        json_object_set_new(answers, "platform_status_error", json_string(errno_name(errno)));
        return;
    }
    CVM_AUTO_FREE char *hex = cvm_hex(status, sizeof status);
    json_object_set_new(answers, "platform_status", json_string(hex));
}

static void set_error(json_t *answers, const char *name, const struct cvm_error *err)
{
    json_object_set_new(answers, name, json_string(err->message));
}

static void ask_qemu(const struct cvm_host *h, json_t *answers)
{
    static const char QUESTION[] =
        "{\"execute\":\"qmp_capabilities\"}\n{\"execute\":\"query-version\"}\n"
        "{\"execute\":\"qom-list-types\",\"arguments\":{\"implements\":"
        "\"confidential-guest-support\"}}\n{\"execute\":\"quit\"}\n";
    const char *program = cvm_host_program(h, h->place->qemu, cvm_host_qemu_programs);
    if (!program)
        return;
    const char *const argv[] = {
        program,    "-S",   "-machine", "none",  "-nodefaults", "-no-user-config",
        "-display", "none", "-qmp",     "stdio", NULL};
    CVM_AUTO_BUF struct cvm_buf out = {0};
    struct cvm_error e = {0};
    if (cvm_ask_program(argv, CVM_BYTES(QUESTION, sizeof QUESTION - 1), &out, &e) < 0) {
        set_error(answers, "qemu_error", &e);
        return;
    }
    json_t *said = cvm_host_qemu_answer((const char *)out.data, out.len);
    if (said)
        json_object_set_new(answers, "qemu", said);
    else
        json_object_set_new(answers, "qemu_error",
                            json_string("it did not answer on its machine protocol"));
}

/* Of the state folder, or of the nearest folder above it that is there. */
static void ask_disk(const char *state, json_t *answers)
{
    CVM_AUTO_FREE char *path = cvm_strdup(state);
    struct statvfs fs;
    while (statvfs(path, &fs) < 0) {
        char *slash = strrchr(path, '/');
        if (errno != ENOENT || !slash || !path[1])
            return;
        slash[slash == path ? 1 : 0] = '\0';
    }
    uint64_t bytes = (uint64_t)fs.f_bavail * fs.f_frsize;
    json_object_set_new(answers, "disk_free_mib", json_integer((json_int_t)(bytes >> 20)));
}

static void ask_probe(const struct cvm_host *h, json_t *answers)
{
    CVM_AUTO_FREE char *agent = cvm_printf("%s/2cvm-agent", h->place->image);
    struct cvm_error e = {0};
    if (access(agent, X_OK) < 0)
        return;
    json_t *list = cvm_ask_protections(h->place->image, &e);
    if (list)
        json_object_set_new(answers, "missing_protections", list);
    else
        set_error(answers, "probe_error", &e);
}

json_t *cvm_host_ask(const struct cvm_host_place *place)
{
    const struct cvm_host_place p = cvm_host_usual(place);
    const struct cvm_host h = {.place = &p, .root = -1, .prefix = ""};
    json_t *answers = json_pack("{s:i, s:I}", "version", 1, "uid", (json_int_t)getuid());
    ask_nodes(answers);
    ask_status(answers);
    ask_qemu(&h, answers);
    ask_disk(p.state, answers);
    ask_probe(&h, answers);
    return answers;
}
