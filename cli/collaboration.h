/*
 * One collaboration in the home folder: collaborations/<uuid>/ holds what is public under the names
 * that all parts use (manifest.json, commitments/, acts/, evidence/, evidence.json,
 * transcript.jsonl, receipt.jws, outputs/<id>.sealed) and what is this participant's own:
 * record.json, challenge.json, later-evidence.json, host.json, outputs/<id>.
 *
 * Security: names from the network never become paths; only ids of the own manifest do.
 */
#ifndef CVM_CLI_COLLABORATION_H
#define CVM_CLI_COLLABORATION_H

#include "cli/home.h"
#include "core/manifest/manifest.h"

struct cli_collaboration { /* zero-initialise; end with cli_collaboration_free() */
    char *folder;
    struct cvm_manifest *manifest;
    int me;       /* index among the participants */
    char *host;   /* URL that was used last; NULL: none */
    char *cacert; /* its certificate authority file; NULL: the system's */
};

/* Of the manifest in bytes: makes its folder, or opens it when it holds exactly these bytes (else
 * CVM_E_MANIFEST_DIFFERS). */
int cli_collaboration_create(const struct cli *c, const void *bytes, size_t len,
                             const struct cli_card *me, struct cli_collaboration *ret,
                             struct cvm_error *err) CVM_MUST_USE;
/* The one that --collaboration names (a UUID or the beginning of one), or the only one. */
int cli_collaboration_open(const struct cli *c, struct cli_collaboration *ret,
                           struct cvm_error *err) CVM_MUST_USE;
void cli_collaboration_free(struct cli_collaboration *co);
#define CLI_AUTO_COLLABORATION CVM_CLEANUP(cli_collaboration_free)

#define CLI_OPTION_COLLABORATION                                                                   \
    {                                                                                              \
        "collaboration", 'c', "UUID",                                                              \
            "which one (its beginning is enough; not needed when there is only one)"               \
    }

char *cli_collaboration_path(const struct cli_collaboration *co, const char *fmt, ...)
    CVM_PRINTF(2, 3);
const char *cli_my_id(const struct cli_collaboration *co);
int cli_collaboration_remember_host(struct cli_collaboration *co, const char *host,
                                    const char *cacert, struct cvm_error *err) CVM_MUST_USE;
/* 12 characters of the digest: enough to tell manifests apart in a line, never to compare for
 * trust. */
char *cli_short_digest(const struct cvm_digest *d, char out[20]);

/*
 * What this participant's machine has promised, durably, before anything was sent: the last
 * sequence number and the one session that got the keys.
 */
struct cli_record {
    uint64_t seq;
    bool released;
    struct cvm_public_key sign, seal; /* of that session */
    uint8_t nonce[64];
    size_t nonce_len;
    uint64_t act_seq; /* acts/<me>-<act_seq>.jws is the release act */
    int64_t time;
};
int cli_record_load(const struct cli_collaboration *co, struct cli_record *ret,
                    struct cvm_error *err) CVM_MUST_USE;
int cli_record_parse(json_t *document, struct cli_record *ret, struct cvm_error *err) CVM_MUST_USE;
int cli_record_save(const struct cli_collaboration *co, const struct cli_record *record,
                    struct cvm_error *err) CVM_MUST_USE;

/* CVM_E_MANIFEST_EXPIRED by this machine's clock. */
int cli_not_expired(const struct cvm_manifest *m, struct cvm_error *err) CVM_MUST_USE;

/* Reads and parses a manifest file; heap allocated, end with cli_manifest_free(). */
int cli_manifest_read(const char *path, struct cvm_manifest **ret,
                      struct cvm_error *err) CVM_MUST_USE;
void cli_manifest_free(struct cvm_manifest **m);
#define CLI_AUTO_MANIFEST CVM_CLEANUP(cli_manifest_free)

#endif
