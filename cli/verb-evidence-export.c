/* 2cvm evidence export: genuine evidence in the form that other verifiers take. */
#include "cli/cli.h"
#include "cli/file.h"
#include "core/evidence/export.h"

static int run_export(struct cli *c, struct cvm_error *err)
{
    const char *output = cli_opt(c, "output");
    CVM_ENSURE(output, err, CVM_E_USAGE, "--output FILE says where to write");
    CVM_AUTO_BUF struct cvm_buf file = {0}, cmw = {0};
    CVM_GUARD(cli_file_read(c->args[0], CVM_BUNDLE_MAX, &file, err));
    CVM_AUTO_BUNDLE struct cvm_bundle b = {0};
    if (cvm_bundle_parse(file.data, file.len, &b, err) < 0 ||
        cvm_bundle_export_cmw(&b, &cmw, err) < 0)
        return cvm_error_wrap(err, "%s", c->args[0]);
    CVM_GUARD(cli_file_write(output, cmw.data, cmw.len, 0644, err));
    cli_say(c,
            "%s: %zu bytes, %s\nnot in it, and still to be compared: HOST_DATA with the manifest, "
            "REPORT_DATA with the bundle and your nonce\n",
            output, cmw.len, CVM_CMW_TYPE);
    cli_result(c, json_pack("{s:s, s:I, s:s}", "output", output, "bytes", (json_int_t)cmw.len,
                            "type", CVM_CMW_TYPE));
    return CLI_EXIT_OK;
}

static const struct cli_option OPTIONS[] = {
    {"output", 0, "FILE", "where to write the wrapper"},
    {0},
};

const struct cli_verb cli_verb_evidence_export = {
    .name = "evidence export",
    .arguments = "BUNDLE",
    .summary = "write genuine evidence as a RATS wrapper (CMW) for another verifier",
    .example = "2cvm evidence export --output evidence.cmw.json evidence.json",
    .options = OPTIONS,
    .min_args = 1,
    .max_args = 1,
    .run = run_export,
};
