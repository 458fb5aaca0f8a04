/*
 * From a draft to a manifest. A draft is the manifest as people write it: any JSON layout, pieces
 * missing. Each participant adds an *offer* (card, commitment to a fresh share of the seed, digests
 * of what it packed):
 * {"items":[{"digest","id","max_bytes","padding"}],"participant":{card},"seed":"sha256:…","version":1}.
 *
 * Security: nothing here is trusted; every participant reads and signs the finished manifest on its
 * own machine.
 */
#ifndef CVM_CLI_DRAFT_H
#define CVM_CLI_DRAFT_H

#include "cli/home.h"

struct cli_draft_defaults {
    const char *image; /* folder of the guest image, to compute missing measurements; NULL */
    int64_t days;      /* until not_after, where the draft has none */
};

/* Takes over participant, seed and items. Items that the draft does not declare, or gives to
 * another owner, are counted. */
int cli_draft_offer(json_t *draft, json_t *offer, unsigned *ret_unused,
                    struct cvm_error *err) CVM_MUST_USE;

/* Fills in what is missing and appends the canonical bytes; they parse as a manifest. */
int cli_draft_finish(json_t *draft, const struct cli_draft_defaults *defaults, struct cvm_buf *ret,
                     struct cvm_error *err) CVM_MUST_USE;

/* A draft for the same collaboration anew: no id, no end, participants by id only. Owned. */
json_t *cli_draft_renew(const json_t *manifest);

#endif
