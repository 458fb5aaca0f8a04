/*
 * verify-evidence MANIFEST EVIDENCE [NONCE]: what `2cvm verify` does, in one page. Exit 0 verified
 * on hardware, 10 simulated, 1 refused, 2 wrong use. NONCE is base64url, the one that you sent
 * yourself.
 */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cvm-evidence.h"

static int read_file(const char *path, struct cvm_buf *ret, struct cvm_error *err)
{
    CVM_AUTO_FCLOSE FILE *f = fopen(path, "re");
    if (!f)
        return cvm_fail_errno(err, "cannot open %s", path);
    char chunk[4096];
    for (size_t n; (n = fread(chunk, 1, sizeof(chunk), f)) > 0;)
        cvm_buf_append(ret, chunk, n);
    return ferror(f) ? cvm_fail_errno(err, "cannot read %s", path) : 0;
}

static int verify(char **args, struct cvm_appraisal *ret, struct cvm_error *err)
{
    static struct cvm_manifest manifest; /* large */
    CVM_AUTO_BUF struct cvm_buf signed_bytes = {0}, evidence = {0}, nonce = {0};
    CVM_AUTO_BUNDLE struct cvm_bundle bundle = {0};
    CVM_GUARD(read_file(args[0], &signed_bytes, err));
    CVM_GUARD(read_file(args[1], &evidence, err));
    if (args[2])
        CVM_GUARD(cvm_b64u_decode(args[2], strlen(args[2]), &nonce, err));
    CVM_GUARD(cvm_manifest_parse(signed_bytes.data, signed_bytes.len, &manifest, err));
    int r = cvm_bundle_parse(evidence.data, evidence.len, &bundle, err);
    const struct cvm_appraise_options options = {
        .time = time(NULL),
        .nonce = CVM_BYTES(nonce.data, nonce.len),
    };
    if (r == 0)
        r = cvm_evidence_appraise(&bundle, &manifest, &options, ret, err);
    cvm_manifest_free(&manifest);
    return r;
}

int main(int argc, char **argv)
{
    struct cvm_error err = {0};
    struct cvm_appraisal result;
    if (argc < 3 || argc > 4) {
        fprintf(stderr, "usage: verify-evidence MANIFEST EVIDENCE [NONCE]\n");
        return 2;
    }
    if (verify(argv + 1, &result, &err) < 0) {
        char line[800];
        fprintf(stderr, "%s\n", cvm_error_line(&err, line, sizeof(line)));
        return 1;
    }
    CVM_AUTO_BUF struct cvm_buf text = {0};
    cvm_appraisal_print(&result, &text);
    fputs(cvm_buf_cstr(&text), stdout);
    return cvm_appraisal_exit_code(&result);
}
