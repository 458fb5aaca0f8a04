/* Inside core/manifest: the parts of the parser, in the order in which they must run. */
#ifndef CVM_MANIFEST_PARSE_H
#define CVM_MANIFEST_PARSE_H

#include "core/manifest/manifest.h"

#define CVM_PLACE_MAX 48 /* "components[12].limits" */

/* Each reads its section of the document into *m. */
int cvm_manifest_read_participants(struct cvm_manifest *m, json_t *list,
                                   struct cvm_error *err) CVM_MUST_USE;
int cvm_manifest_read_isolate(struct cvm_manifest *m, json_t *object,
                              struct cvm_error *err) CVM_MUST_USE;
int cvm_manifest_read_components(struct cvm_manifest *m, json_t *list,
                                 struct cvm_error *err) CVM_MUST_USE;
int cvm_manifest_read_data(struct cvm_manifest *m, json_t *list,
                           struct cvm_error *err) CVM_MUST_USE;
int cvm_manifest_read_outputs(struct cvm_manifest *m, json_t *list,
                              struct cvm_error *err) CVM_MUST_USE;
int cvm_manifest_read_channels(struct cvm_manifest *m, json_t *list,
                               struct cvm_error *err) CVM_MUST_USE;

/* What only the whole can tell: unused things, shared paths, gates, groups and their order, the
 * memory rule. */
int cvm_manifest_check_graph(struct cvm_manifest *m, struct cvm_error *err) CVM_MUST_USE;
/* Finds the groups and the order; refuses cycles. Part of the above. */
int cvm_manifest_order(struct cvm_manifest *m, struct cvm_error *err) CVM_MUST_USE;

/*
 * Helpers over a reader; on failure the reader has failed and the result is a harmless default.
 * An id is new in its name space when the look-up does not find it yet.
 */
void cvm_read_id(struct cvm_json_reader *r, char ret[CVM_ID_MAX + 1]);
const char *cvm_read_text(struct cvm_json_reader *r, const char *name, size_t max);
void cvm_read_check_text(struct cvm_json_reader *r, const char *name, const char *text, size_t min,
                         size_t max);
int cvm_read_word(struct cvm_json_reader *r, const char *name, int (*by_word)(const char *));
unsigned cvm_read_words(struct cvm_json_reader *r, const char *name, int (*by_word)(const char *));
int cvm_read_participant(struct cvm_json_reader *r, const struct cvm_manifest *m, const char *name);
uint32_t cvm_read_participants(struct cvm_json_reader *r, const struct cvm_manifest *m,
                               const char *name);
bool cvm_read_bool(struct cvm_json_reader *r, const char *name);

#endif
