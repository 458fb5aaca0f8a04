/* Inside this module: the host as its judges see it, and the judges. */
#ifndef CVM_HOST_INTERNAL_H
#define CVM_HOST_INTERNAL_H

#include "orchestrator/host/host.h"

#define CVM_HOST_STATUS_LEN 32 /* struct sev_user_data_snp_status of Linux */

struct cvm_host {
    const struct cvm_host_place *place;
    int root;           /* directory descriptor, or -1 for the machine's own "/" */
    const char *prefix; /* of paths in the root, for functions that take paths; "" for "/" */

    /* the answers; borrowed from their document */
    uint32_t uid;
    json_t *nodes;   /* path -> "ok" or the name of an errno; NULL when none was asked */
    bool has_status; /* the firmware answered */
    uint8_t status[CVM_HOST_STATUS_LEN];
    const char *status_error; /* name of an errno, or NULL */
    const char *qemu_version; /* NULL: it did not answer; qemu_error may say why */
    bool qemu_snp;
    const char *qemu_error;
    int64_t disk_free_mib; /* -1 when not known */
    json_t *missing;       /* protections; NULL: the probe did not run; probe_error says why */
    const char *probe_error;
};

/* Devices and sockets whose opening is asked. */
extern const char *const cvm_host_nodes[];
extern const size_t cvm_host_node_count;
#define CVM_HOST_KVM "/dev/kvm"
#define CVM_HOST_SEV "/dev/sev"
#define CVM_HOST_VSOCK "/dev/vhost-vsock"

/* The place with all that was NULL filled in, but `root` and `ovmf`. */
struct cvm_host_place cvm_host_usual(const struct cvm_host_place *place);
int cvm_host_open_answers(struct cvm_host *h, json_t *answers, struct cvm_error *err) CVM_MUST_USE;

/* Files. -1 with errno; with another root no link leads out of it. */
int cvm_host_open(const struct cvm_host *h, const char *path, int flags);
bool cvm_host_exists(const struct cvm_host *h, const char *path);
/* The text of a small file; false (and "") when it can't be read. */
bool cvm_host_text(const struct cvm_host *h, const char *path, char *out, size_t size);
/* The value of "key : value" lines, from the first that has this key. */
bool cvm_host_field(const char *text, const char *key, char *out, size_t size);
/* A whole word between blanks (or colons, for lists of flags that begin so). */
bool cvm_host_word(const char *text, const char *word);
/* The first path of a NULL-terminated list that is an executable file. NULL: none. */
const char *cvm_host_program(const struct cvm_host *h, const char *chosen,
                             const char *const *usual);
extern const char *const cvm_host_qemu_programs[], *const cvm_host_vsock_programs[];
/* What opening the node gave, "ok" or an errno's name; NULL when it was not asked. */
const char *cvm_host_node(const struct cvm_host *h, const char *path);

/* What QEMU printed on its machine protocol -> {"version":"10.0.2","sev_snp_guest":true}; NULL when
 * it is not that. */
json_t *cvm_host_qemu_answer(const char *text, size_t len);

CVM_PRINTF(3, 4)
void cvm_host_say(struct cvm_host_result *r, enum cvm_host_verdict v, const char *fmt, ...);

#define HOST_CHECK(symbol, name, platforms, looks_at, remedy)                                      \
    void cvm_host_judge_##symbol(const struct cvm_host *h, struct cvm_host_result *r);
#include "orchestrator/host/checks.def"
#undef HOST_CHECK

#endif
