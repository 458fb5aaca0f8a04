/* 2cvm commit: this participant agrees, by signing the manifest's exact bytes, after its own
 * machine has checked them. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/client.h"
#include "cli/file.h"
#include "core/evidence/measure-sim.h"
#include "core/evidence/measure-snp.h"
#include "core/manifest/commitment.h"
#include "core/manifest/explain.h"

static int key_differs(const struct cvm_participant *p, const struct cli_card *known,
                       const char *what, struct cvm_error *err)
{
    char expected[CVM_KID_TEXT], got[CVM_KID_TEXT];
    bool sign = memcmp(&p->sign, &known->sign, sizeof p->sign) != 0;
    enum cvm_curve curve = sign ? CVM_ED25519 : CVM_X25519;
    return cvm_fail_expected(err, CVM_E_CONTACT_UNKNOWN,
                             cvm_jwk_kid(sign ? &known->sign : &known->seal, curve, expected),
                             cvm_jwk_kid(sign ? &p->sign : &p->seal, curve, got),
                             "the %s key of \"%s\" is not %s", sign ? "signing" : "sealing", p->id,
                             what);
}

static bool same_keys(const struct cvm_participant *p, const struct cli_card *card)
{
    return memcmp(&p->sign, &card->sign, sizeof p->sign) == 0 &&
           memcmp(&p->seal, &card->seal, sizeof p->seal) == 0;
}

/* Everyone in the manifest is me or a contact, with exactly the keys that were compared. */
static int check_keys(const struct cli *c, const struct cvm_manifest *m, const struct cli_card *me,
                      struct cvm_error *err)
{
    CLI_AUTO_CONTACTS struct cli_contacts known = {0};
    CVM_GUARD(cli_contacts_load(c, &known, err));
    CVM_ENSURE(cvm_manifest_participant(m, me->id) >= 0, err, CVM_E_NOT_A_PARTICIPANT,
               "\"%s\" (this home) is not in the manifest", me->id);
    for (uint32_t i = 0; i < m->n_participants; i++) {
        const struct cvm_participant *p = &m->participants[i];
        bool own = strcmp(p->id, me->id) == 0;
        const struct cli_card *card = own ? me : cli_contacts_find(&known, p->id);
        CVM_ENSURE(card, err, CVM_E_CONTACT_UNKNOWN, "\"%s\" (%s) is not among your contacts",
                   p->id, p->name);
        if (!same_keys(p, card))
            return key_differs(p, card, own ? "yours" : "the one that you compared", err);
    }
    return 0;
}

/* What the manifest says about my items and my seed is what I packed and made here. */
static int check_own(const struct cli *c, const struct cvm_manifest *m, int me,
                     struct cvm_error *err)
{
    CVM_AUTO_SECRET struct cvm_secret share = {0};
    CVM_GUARD(cli_seed_load(c, &m->participants[me].seed, &share, err));
    for (uint32_t i = 0; i < cvm_manifest_items(m); i++) {
        struct cvm_item x = cvm_manifest_item_at(m, i);
        if (x.owner != me || x.open)
            continue;
        CLI_AUTO_ITEM struct cli_item packed = {0};
        CVM_GUARD(cli_item_load(c, x.id, x.digest, &packed, err));
        char expected[48], got[48];
        snprintf(expected, sizeof expected, "%llu, padding %s",
                 (unsigned long long)packed.max_bytes, packed.padded ? "max" : "none");
        snprintf(got, sizeof got, "%llu, padding %s", (unsigned long long)x.max_bytes,
                 cvm_padding_word(x.padding));
        if (strcmp(expected, got) != 0)
            return cvm_fail_expected(
                err, CVM_E_MANIFEST_DIFFERS, expected, got,
                "max_bytes and padding of \"%s\" are not those that it was packed with", x.id);
    }
    return 0;
}

/* For each kind of isolate that the manifest allows and the folder holds an image of. */
static int measure_image(const struct cvm_manifest *m, const char *image,
                         uint8_t ret[2][CVM_SHA384_LEN], size_t *ret_n, struct cvm_error *err)
{
    size_t n = 0;
    CVM_AUTO_FREE char *kernel = cvm_printf("%s/kernel", image);
    bool machine = access(kernel, F_OK) == 0;
    if (cvm_manifest_has_platform(m, CVM_PLATFORM_SEV_SNP) && machine)
        CVM_GUARD(cvm_measure_snp_folder(image, m->isolate.vcpus, ret[n++], err));
    if (cvm_manifest_has_platform(m, CVM_PLATFORM_SIM_VM) && machine)
        CVM_GUARD(cvm_measure_sim_vm_folder(image, m->isolate.vcpus, m->isolate.memory_mib,
                                            ret[n++], err));
    if (cvm_manifest_has_platform(m, CVM_PLATFORM_SIM_PROCESS) && !machine)
        CVM_GUARD(cvm_measure_sim_folder(image, m->isolate.vcpus, ret[n++], err));
    *ret_n = n;
    return 0;
}

/* Every measurement that the manifest allows was computed here from the image, or is in the trusted
 * list. */
static int check_measurements(const struct cli *c, const struct cvm_manifest *m,
                              struct cvm_error *err)
{
    const char *image = cli_opt(c, "image");
    uint8_t own[2][CVM_SHA384_LEN];
    size_t n_own = 0;
    if (image)
        CVM_GUARD(measure_image(m, image, own, &n_own, err));
    for (uint32_t i = 0; i < m->isolate.n_measurements; i++) {
        bool trusted = false;
        for (size_t k = 0; k < n_own; k++)
            trusted |= memcmp(own[k], m->isolate.measurements[i], CVM_SHA384_LEN) == 0;
        if (!trusted)
            CVM_GUARD(cli_trusted_has(c, m->isolate.measurements[i], &trusted, err));
        if (trusted)
            continue;
        CVM_AUTO_FREE char *got_hex = cvm_hex(m->isolate.measurements[i], CVM_SHA384_LEN);
        CVM_AUTO_FREE char *got = cvm_printf("sha384:%s", got_hex);
        if (!n_own)
            return cvm_fail_expected(err, CVM_E_MEASUREMENT_UNKNOWN, NULL, got,
                                     "give --image DIR to recompute it");
        CVM_AUTO_FREE char *own_hex = cvm_hex(own[0], CVM_SHA384_LEN);
        CVM_AUTO_FREE char *expected = cvm_printf("sha384:%s", own_hex);
        return cvm_fail_expected(err, CVM_E_MEASUREMENT_UNKNOWN, expected, got,
                                 "the image %s has another one", image);
    }
    return 0;
}

static void say_explained(const struct cli *c, const struct cvm_manifest *m)
{
    CVM_AUTO_JSON json_t *list = cvm_manifest_explain(m);
    CVM_AUTO_BUF struct cvm_buf text = {0};
    cvm_explain_text(list, 100, &text);
    cli_say(c, "%s\n", cvm_buf_cstr(&text));
}

/* At a terminal a person says yes; a script has read before. */
static int ask(const struct cli *c, struct cvm_error *err)
{
    char line[16] = "";
    if (cli_flag(c, "yes") || c->json || !isatty(STDIN_FILENO))
        return 0;
    cli_note(c, "Sign this manifest? [yes/no] ");
    CVM_ENSURE(fgets(line, sizeof line, stdin) && strcmp(line, "yes\n") == 0, err, CVM_E_USAGE,
               "not signed");
    return 0;
}

static int send(struct cli *c, struct cli_collaboration *co, const struct cli_identity *me,
                const struct cvm_buf *jws, bool *ret_sent, struct cvm_error *err)
{
    *ret_sent = false;
    if (!cli_opt(c, "host") && !co->host)
        return 0;
    const struct cvm_manifest *m = co->manifest;
    CLI_AUTO_CLIENT struct cli_client client = {0};
    CVM_GUARD(cli_client_open(c, co, &me->sign, &client, err));
    CVM_GUARD(cli_client_call(&client, "POST", "/v1/collaborations", &CVM_BYTES(m->bytes, m->len),
                              "application/json", NULL, NULL, err));
    CVM_AUTO_FREE char *path =
        cvm_printf("/v1/collaborations/%s/commitments/%s", m->collaboration, cli_my_id(co));
    CVM_GUARD(cli_client_call(&client, "PUT", path, &CVM_BYTES(jws->data, jws->len),
                              "application/jose", NULL, NULL, err));
    *ret_sent = true;
    return cli_collaboration_remember_host(co, client.url, client.cacert, err);
}

static int run(struct cli *c, struct cvm_error *err)
{
    CLI_AUTO_IDENTITY struct cli_identity me = {0};
    CVM_AUTO_BUF struct cvm_buf bytes = {0};
    CVM_GUARD(cli_identity_load(c, &me, err));
    CVM_GUARD(cli_file_read(c->args[0], CLI_FILE_MAX, &bytes, err));
    CLI_AUTO_MANIFEST struct cvm_manifest *m = cvm_alloc(sizeof *m);
    if (cvm_manifest_parse(bytes.data, bytes.len, m, err) < 0)
        return cvm_error_wrap(err, "%s", c->args[0]);
    CVM_GUARD(cli_not_expired(m, err));
    CVM_GUARD(check_keys(c, m, &me.card, err));
    CVM_GUARD(check_own(c, m, cvm_manifest_participant(m, me.card.id), err));
    CVM_GUARD(check_measurements(c, m, err));
    say_explained(c, m);
    CVM_GUARD(ask(c, err));
    CLI_AUTO_COLLABORATION struct cli_collaboration co = {0};
    CVM_AUTO_BUF struct cvm_buf jws = {0};
    bool sent;
    CVM_GUARD(cli_collaboration_create(c, bytes.data, bytes.len, &me.card, &co, err));
    CVM_GUARD(cvm_commitment_make(m, co.me, &me.sign, &jws, err));
    CVM_AUTO_FREE char *path = cli_collaboration_path(&co, "commitments/%s.jws", cli_my_id(&co));
    CVM_GUARD(cli_file_write(path, jws.data, jws.len, 0644, err));
    CVM_GUARD(send(c, &co, &me, &jws, &sent, err));
    char digest[CVM_DIGEST_TEXT], spoken[CVM_SPOKEN_LEN];
    cvm_digest_text(&m->digest, digest);
    cvm_digest_spoken(&m->digest, spoken);
    cli_say(c, "signed      as %s: %s%s\nspoken      %s (the others must see the same)\n",
            cli_my_id(&co), path, sent ? ", sent to the host" : "", spoken);
    cli_result(c,
               json_pack("{s:s, s:s, s:s, s:s, s:b}", "collaboration", m->collaboration, "manifest",
                         digest, "spoken", spoken, "commitment", path, "sent", sent));
    return CLI_EXIT_OK;
}

static const struct cli_option OPTIONS[] = {
    {"image", 0, "DIR", "the guest image, to recompute the measurement"},
    {"yes", 'y', NULL, "do not ask"},
    CLI_OPTIONS_HOST,
    {0},
};

const struct cli_verb cli_verb_commit = {
    .name = "commit",
    .arguments = "MANIFEST.json",
    .summary = "sign the manifest, after checking keys, items and measurement; send it to the host",
    .example = "2cvm commit manifest.json --image DIR --host http://127.0.0.1:8443",
    .options = OPTIONS,
    .min_args = 1,
    .max_args = 1,
    .run = run,
};
