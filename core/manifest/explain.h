/* A manifest in plain words, the digest for the telephone, and what differs between two manifests.
 */
#ifndef CVM_MANIFEST_EXPLAIN_H
#define CVM_MANIFEST_EXPLAIN_H

#include "core/manifest/manifest.h"

/* The digest as nine groups of five digits ("12345-…"): 44 digits of it (146 bits) and a Damm check
 * digit at the very end. */
#define CVM_SPOKEN_LEN 54 /* 9 * 5 digits, 8 dashes, NUL */
char *cvm_digest_spoken(const struct cvm_digest *d, char out[CVM_SPOKEN_LEN]); /* returns out */
/* True when the text is of that form (dashes and blanks ignored), its check digit holds and it is
 * this digest's. */
bool cvm_digest_spoken_matches(const struct cvm_digest *d, const char *text);

/*
 * [{"topic":…,"text":…}, …] in reading order. Topics: warning, digest, learns, code, data, output,
 * isolate, time. "learns" says who can learn what through which code: everything that reaches an
 * output along the channels. Owned: json_decref().
 */
json_t *cvm_manifest_explain(const struct cvm_manifest *m);

/*
 * [{"risk":"high"|"medium"|"low","place":…,"text":…}, …], riskiest first; empty when both say the
 * same. `from` is what was known, `to` what is proposed. Never empty when the bytes differ.
 */
json_t *cvm_manifest_diff(const struct cvm_manifest *from, const struct cvm_manifest *to);

/* Either list as lines of text, wrapped at `width` columns (0: not wrapped), with a heading where
 * topic or risk changes. */
void cvm_explain_text(const json_t *list, unsigned width, struct cvm_buf *out);

#endif
