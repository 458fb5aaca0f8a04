/*
 * Whether this host can start isolates: facts and judgement, for `2cvm doctor` and for a driver
 * before a launch.
 *
 * Facts come from two places only: files under a root folder (NULL: the machine's own "/"), and one
 * JSON document of answers that no file holds (whether devices open, the firmware's status, QEMU's
 * words, the agent's probe). Both may be recordings, so that judgements can be tested, and a host
 * be judged elsewhere.
 *
 * Security: nothing here protects a participant: the host judges itself. Participants judge the
 * evidence. It only saves launches that could not succeed, and says why.
 */
#ifndef CVM_HOST_HOST_H
#define CVM_HOST_HOST_H

#include "core/base/json.h"
#include "core/manifest/manifest.h"

enum cvm_host_check_id {
#define HOST_CHECK(symbol, name, platforms, looks_at, remedy) CVM_HOST_CHECK_##symbol,
#include "orchestrator/host/checks.def"
#undef HOST_CHECK
    CVM_HOST_CHECKS
};

enum cvm_host_verdict { CVM_HOST_OK, CVM_HOST_WARN, CVM_HOST_FAIL, CVM_HOST_SKIP };
const char *cvm_host_verdict_word(enum cvm_host_verdict v); /* "OK", "WARN", "FAIL", "SKIP" */

struct cvm_host_check_info {
    const char *name;
    unsigned platforms; /* bit per enum cvm_platform */
    const char *looks_at, *remedy;
};
const struct cvm_host_check_info *cvm_host_check_info(enum cvm_host_check_id id);

struct cvm_host_result {
    enum cvm_host_verdict verdict;
    char found[256]; /* one line: what is there, and what was expected when it is not well */
};

/* Where things are; borrowed; NULL for the usual place. Paths are those inside the root. */
struct cvm_host_place {
    const char *root;
    const char *state;         /* the daemon's state folder: /var/lib/2cvm */
    const char *image;         /* folder of the three guest programs: /usr/lib/2cvm/image */
    const char *machine_image; /* of virtual machines, as the daemon's: /usr/lib/2cvm/machine */
    const char *ovmf;          /* `firmware` in machine_image, else where packages put it */
    const char *psp;           /* /usr/lib/2cvm/2cvm-psp */
    const char *qemu, *vsock_program; /* the usual folders of programs */
};

/*
 * Asks this machine what no file tells. Opens devices and sockets, starts QEMU (as libvirt does, on
 * its machine protocol, without a machine) and the agent's probe; each has ten seconds. What can't
 * be answered is left out or says why. The caller owns the document; never NULL.
 */
json_t *cvm_host_ask(const struct cvm_host_place *place);

/* Reads a document of answers, also a recorded one. Caller owns it; NULL on failure. */
json_t *cvm_host_answers_parse(const void *data, size_t len, struct cvm_error *err) CVM_MUST_USE;

/* Judges all checks of a platform (bits as in cvm_host_check_info); the results of others are SKIP.
 * CVM_E_JSON_… for answers of another form, CVM_E_IO when the root can't be opened. */
int cvm_host_judge(const struct cvm_host_place *place, json_t *answers, unsigned platforms,
                   struct cvm_host_result results[CVM_HOST_CHECKS],
                   struct cvm_error *err) CVM_MUST_USE;

/* The first FAIL of a platform, or NULL. */
const struct cvm_host_check_info *
cvm_host_first_failure(const struct cvm_host_result results[CVM_HOST_CHECKS], unsigned platforms,
                       const struct cvm_host_result **ret_result);

/* For a driver, before a launch: asks, judges, and refuses with CVM_E_PLATFORM: reason and remedy
 * of the first FAIL. Takes up to some seconds. */
int cvm_host_check(enum cvm_platform platform, const struct cvm_host_place *place,
                   struct cvm_error *err) CVM_MUST_USE;

#endif
