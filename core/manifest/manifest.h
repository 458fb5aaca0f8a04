/*
 * The Commitment Manifest: its canonical bytes read into plain structs, after every rule of
 * doc/MANIFEST.md was checked.
 *
 * Things are named by index: participants, components, data, channels and outputs in manifest
 * order. An *item* is a component or a data item; items are numbered with components first, then
 * data. Sets of participants are bit masks (bit i = index i). Strings are NUL-terminated; those
 * that are pointers belong to the manifest and live until cvm_manifest_free().
 *
 * Security: a parsed manifest holds nothing unchecked: ids and paths are of the plain form,
 * references resolve, the graphs are acyclic, sums do not overflow, and free text (title, names,
 * args) has no control or direction-changing characters.
 */
#ifndef CVM_MANIFEST_MANIFEST_H
#define CVM_MANIFEST_MANIFEST_H

#include "core/base/json.h"
#include "core/seal/blob.h"
#include "core/seal/jwk.h"

#define CVM_MANIFEST_MAX (256 * 1024)
#define CVM_PARTICIPANTS_MAX 32
#define CVM_COMPONENTS_MAX 64
#define CVM_DATA_MAX 128
#define CVM_ITEMS_MAX (CVM_COMPONENTS_MAX + CVM_DATA_MAX)
#define CVM_CHANNELS_MAX 1024
#define CVM_COMPONENT_CHANNELS_MAX 256 /* into and out of one component */
#define CVM_OUTPUTS_MAX 64
#define CVM_CONDITIONS_MAX 16 /* an output */
#define CVM_MEASUREMENTS_MAX 16
#define CVM_CHIPS_MAX 64
#define CVM_ARGS_MAX 64
#define CVM_ARGS_BYTES 4096
/* What a channel between components carries where it names no max_bytes. */
#define CVM_CHANNEL_BYTES_DEFAULT (16 * 1024 * 1024)
/* One direction of one call, where a call channel names no max_call_bytes. */
#define CVM_CALL_BYTES_DEFAULT (1024 * 1024)
#define CVM_CALL_BYTES_MAX (256 * 1024 * 1024)
#define CVM_INTERFACE_MAX 128      /* bytes of an interface's name */
#define CVM_OPEN_ITEMS_MAX 4000    /* items of one open input */
#define CVM_MEMORY_RESERVE_MIB 128 /* of memory_mib, above all that the manifest declares */
#define CVM_CHIP_LEN 64
#define CVM_STDIN_PATH "/dev/stdin"
#define CVM_STDOUT_PATH "/dev/stdout"

/*
 * The words of the format, from words.def: enum cvm_platform { CVM_PLATFORM_SEV_SNP, …,
 * CVM_PLATFORM_COUNT } and so on for protection, grant, component_kind, instance, clock, random,
 * channel_kind, condition and product. cvm_platform_word() gives the word of a value (NULL when out
 * of range), cvm_platform_by_word() the value of a word (-1 when unknown); likewise for the others.
 */
#define TABLE(NAME, name)                                                                          \
    enum cvm_##name                                                                                \
    {
#define V(NAME, SYMBOL, word) CVM_##NAME##_##SYMBOL,
#define END(NAME, name)                                                                            \
    CVM_##NAME##_COUNT                                                                             \
    }                                                                                              \
    ;
#include "core/manifest/words.def"
#undef TABLE
#undef V
#undef END
#define TABLE(NAME, name)                                                                          \
    const char *cvm_##name##_word(enum cvm_##name value);                                          \
    int cvm_##name##_by_word(const char *word);
#define V(NAME, SYMBOL, word)
#define END(NAME, name)
#include "core/manifest/words.def"
#undef TABLE
#undef V
#undef END

struct cvm_participant {
    char id[CVM_ID_MAX + 1];
    const char *name;
    struct cvm_public_key sign, seal;
    struct cvm_digest sign_thumb, seal_thumb; /* RFC 7638, raw */
    struct cvm_digest seed; /* commitment to the participant's share of the seed */
};

struct cvm_min_tcb {
    bool present;
    int bootloader, tee, snp, microcode, fmc; /* fmc: -1 but on Turin */
};

/* Of the ID block: who signed the launch, and from which version of the guest on. */
#define CVM_ID_KEYS_MAX 8
struct cvm_id_block_rule {
    bool present;
    uint32_t guest_svn; /* at least */
    uint32_t n_id_keys; /* digests of keys that may have signed it, as a report gives them */
    uint8_t id_keys[CVM_ID_KEYS_MAX][CVM_SHA384_LEN];
    uint32_t n_author_keys; /* 0: no author key is demanded */
    uint8_t author_keys[CVM_ID_KEYS_MAX][CVM_SHA384_LEN];
};

struct cvm_isolate {
    unsigned platforms; /* bit per enum cvm_platform; never both kinds */
    bool simulated;     /* only simulated platforms */
    uint32_t n_measurements;
    uint8_t measurements[CVM_MEASUREMENTS_MAX][CVM_SHA384_LEN];
    bool any_chip;
    uint32_t n_chips;
    uint8_t chips[CVM_CHIPS_MAX][CVM_CHIP_LEN]; /* an id of 8 bytes has zeros behind it */
    struct cvm_min_tcb min_tcb[CVM_PRODUCT_COUNT];
    bool has_policy;
    int abi_major, abi_minor; /* 0 when has_policy is false */
    bool single_socket, smt;  /* false and true when has_policy is false */
    struct cvm_id_block_rule id_block;
    uint32_t vcpus;
    uint64_t memory_mib;
    unsigned waive; /* bit per enum cvm_protection */
};

struct cvm_component {
    char id[CVM_ID_MAX + 1];
    int owner; /* participant */
    struct cvm_digest digest;
    uint64_t max_bytes;
    enum cvm_padding padding; /* max or none */
    enum cvm_component_kind kind;
    enum cvm_instance instance; /* of a library; a command is CVM_INSTANCE_RUN */
    bool gate;                  /* a command that an output passes before it is sealed */
    uint32_t group;             /* of the components that run together */
    uint32_t n_args;
    const char *args[CVM_ARGS_MAX]; /* behind argv[0], which is the id */
    unsigned grants;                /* bit per enum cvm_grant */
    enum cvm_clock clock;
    enum cvm_random random;
    uint64_t memory_bytes, cpu_ms, wall_ms;
    uint64_t fuel; /* 0: not counted */
};

struct cvm_data {
    char id[CVM_ID_MAX + 1];
    int owner;
    struct cvm_digest digest;
    uint64_t max_bytes;
    enum cvm_padding padding; /* max or none */
    bool open; /* its items come while it runs: no digest (zeros), no blob, one stream channel */
    uint32_t max_items; /* of an open one, else 0; max_bytes is then the sum of all items */
};

/*
 * Exactly one of from_component, from_data is an index and one of to_component, to_output; others
 * are -1. A call and a stream lead to a component, a call comes from one. Members that a kind does
 * not have are NULL or 0.
 */
struct cvm_channel {
    enum cvm_channel_kind kind;
    int from_component, from_data;
    int to_component, to_output;
    const char *from_path; /* file: "out/…" or "/dev/stdout"; stream: "/dev/stdout"; NULL from a
                              data item */
    const char *to_path;   /* file: "in/…", NULL to an output; stream: "/dev/stdin" */
    const char *interface; /* call: "study:model/infer@1.0.0" */
    uint64_t max_bytes;    /* what it can carry: of the data item, of the channel, of the output; of
                              a call channel both directions of all calls together */
    uint64_t max_calls;
    uint64_t max_call_bytes; /* one direction of one call */
};

struct cvm_condition_rule {
    enum cvm_condition when;
    uint32_t by;  /* participants, never empty */
    int64_t time; /* not-before only */
};

struct cvm_output {
    char id[CVM_ID_MAX + 1];
    uint32_t recipients; /* participants, never empty */
    uint64_t max_bytes;
    enum cvm_padding padding;
    bool diagnostics;
    int channel; /* -1 for diagnostics */
    uint32_t n_release;
    struct cvm_condition_rule release[CVM_CONDITIONS_MAX];
};

/* Components that run together: members order[first] to order[first + n - 1]. */
struct cvm_group {
    uint32_t first, n;
};

struct cvm_manifest {
    uint8_t *bytes; /* exactly as received; owned */
    size_t len;
    struct cvm_digest digest; /* SHA-256 of the bytes */
    json_t *document;         /* owned; strings above point into it */

    char collaboration[37]; /* UUID, lower case */
    const char *title;
    int64_t not_after;
    uint32_t n_participants, n_components, n_data, n_channels, n_outputs;
    struct cvm_participant participants[CVM_PARTICIPANTS_MAX];
    struct cvm_isolate isolate;
    struct cvm_component components[CVM_COMPONENTS_MAX];
    struct cvm_data data[CVM_DATA_MAX];
    struct cvm_channel channels[CVM_CHANNELS_MAX];
    struct cvm_output outputs[CVM_OUTPUTS_MAX];
    /*
     * Groups: components joined by calls or streams, at any distance; each group behind those that
     * feed one of its members by a file; ties in manifest order. Inside, each component behind
     * those that it calls or streams to.
     */
    uint32_t n_groups;
    struct cvm_group groups[CVM_COMPONENTS_MAX];
    int order[CVM_COMPONENTS_MAX];
};

/*
 * Reads and checks. Size first, then canonical form, then each rule; the first broken rule is the
 * error, with the place
 * ("components[1].limits"). On success the manifest owns a copy of the bytes; end it with
 * cvm_manifest_free(). About 300 KiB: better static, allocated or one on the stack than many.
 */
int cvm_manifest_parse(const void *bytes, size_t len, struct cvm_manifest *ret,
                       struct cvm_error *err) CVM_MUST_USE;
void cvm_manifest_free(struct cvm_manifest *m); /* fine on a zeroed one */
#define CVM_AUTO_MANIFEST CVM_CLEANUP(cvm_manifest_free)

/* Look-ups by id: an index, or -1. */
int cvm_manifest_participant(const struct cvm_manifest *m, const char *id);
int cvm_manifest_participant_by_thumb(const struct cvm_manifest *m,
                                      const struct cvm_digest *sign_thumb);
int cvm_manifest_item(const struct cvm_manifest *m, const char *id);
int cvm_manifest_output(const struct cvm_manifest *m, const char *id);

/* The facts that both kinds of item share. `item` must be below cvm_manifest_items(). */
struct cvm_item {
    const char *id;
    int owner;
    const struct cvm_digest *digest;
    uint64_t max_bytes;
    enum cvm_padding padding;
    bool open;           /* an open input: it has no digest, no content key and no blob */
    int component, data; /* index of its kind; the other is -1 */
};
uint32_t cvm_manifest_items(const struct cvm_manifest *m);
struct cvm_item cvm_manifest_item_at(const struct cvm_manifest *m, uint32_t item);

/* The channels of one kind into or out of a component, in manifest order; returns their number.
 * `ret` holds CVM_CHANNELS_MAX indices. */
uint32_t cvm_manifest_inbound(const struct cvm_manifest *m, enum cvm_channel_kind kind,
                              int component, int ret[CVM_CHANNELS_MAX]);
uint32_t cvm_manifest_outbound(const struct cvm_manifest *m, enum cvm_channel_kind kind,
                               int component, int ret[CVM_CHANNELS_MAX]);

/* What the isolate needs by the memory rule, in MiB, the reserve included. */
uint64_t cvm_manifest_memory_needed(const struct cvm_manifest *m);

bool cvm_manifest_has_platform(const struct cvm_manifest *m, enum cvm_platform p);
bool cvm_platform_simulated(enum cvm_platform p);

#endif
