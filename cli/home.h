/*
 * The participant's folder (--home): who I am, whom I know, what I packed, what I agreed to. Mode
 * 0700; secrets 0600.
 *
 *   identity.json            my card (public)       sign.jwk, seal.jwk   my private keys
 *   contacts.json            confirmed cards        trusted.json         measurements that I accept
 *   items/<id>.<digest>.json what I packed          items/….key          its content key
 *   seeds/<commitment>.key   my share of a seed     collaborations/<uuid>/   see collaboration.h
 *
 * Security: private keys, content keys and seed shares live in files of their own, are never put
 * into a JSON library, and are refused when others could read them.
 */
#ifndef CVM_CLI_HOME_H
#define CVM_CLI_HOME_H

#include "cli/cli.h"
#include "core/seal/jwk.h"

/* A path below the home folder; owned. Ids that go into it are checked ids. */
char *cli_home_path(const struct cli *c, const char *fmt, ...) CVM_PRINTF(2, 3);
int cli_home_prepare(const struct cli *c, struct cvm_error *err) CVM_MUST_USE;

/* A participant's public card, {"id","name","seal","sign","version":1}: what keygen --export gives
 * and contact add takes. */
#define CLI_NAME_MAX 100 /* what a manifest allows */
struct cli_card {
    char id[CVM_ID_MAX + 1];
    char name[CLI_NAME_MAX + 1];
    struct cvm_public_key sign, seal;
};
/* A name is shown to people: what a manifest would refuse (cvm_read_check_text()) is refused here.
 */
int cli_name_check(const char *name, struct cvm_error *err) CVM_MUST_USE;
int cli_card_parse(json_t *card, struct cli_card *ret,
                   struct cvm_error *err) CVM_MUST_USE; /* foreign */
json_t *cli_card_json(const struct cli_card *card);     /* owned */
/*
 * What two people compare over the telephone: SHA-256 of L("2cvm/contact/1", id, sign key, seal
 * key), shown as cvm_digest_spoken(). It covers both keys: who swaps the sealing key alone would
 * read outputs.
 */
struct cvm_digest cli_card_thumbprint(const struct cli_card *card);

struct cli_identity {
    struct cli_card card;
    struct cvm_key sign, seal; /* zeroed when only the card was read */
};
int cli_identity_create(const struct cli *c, const struct cli_card *card, struct cli_identity *ret,
                        struct cvm_error *err) CVM_MUST_USE;
int cli_identity_card(const struct cli *c, struct cli_card *ret,
                      struct cvm_error *err) CVM_MUST_USE;
int cli_identity_load(const struct cli *c, struct cli_identity *ret,
                      struct cvm_error *err) CVM_MUST_USE;
void cli_identity_free(struct cli_identity *identity);
#define CLI_AUTO_IDENTITY CVM_CLEANUP(cli_identity_free)

/* Contacts: at most CLI_CONTACTS_MAX, one card an id. */
#define CLI_CONTACTS_MAX 1024
struct cli_contacts {
    struct cli_card *cards;
    size_t n;
};
int cli_contacts_load(const struct cli *c, struct cli_contacts *ret,
                      struct cvm_error *err) CVM_MUST_USE;
int cli_contacts_parse(json_t *document, struct cli_contacts *ret,
                       struct cvm_error *err) CVM_MUST_USE;
int cli_contacts_add(const struct cli *c, const struct cli_card *card, bool replace,
                     struct cvm_error *err) CVM_MUST_USE;
const struct cli_card *cli_contacts_find(const struct cli_contacts *contacts,
                                         const char *id); /* NULL: unknown */
void cli_contacts_free(struct cli_contacts *contacts);
#define CLI_AUTO_CONTACTS CVM_CLEANUP(cli_contacts_free)

/* The trusted list: measurements with a remark. */
#define CLI_TRUSTED_MAX 1024
int cli_trusted_load(const struct cli *c, json_t **ret,
                     struct cvm_error *err) CVM_MUST_USE; /* [{"measurement","note"}] */
int cli_trusted_has(const struct cli *c, const uint8_t measurement[CVM_SHA384_LEN], bool *ret,
                    struct cvm_error *err) CVM_MUST_USE;
int cli_trusted_add(const struct cli *c, const uint8_t measurement[CVM_SHA384_LEN],
                    const char *note, struct cvm_error *err) CVM_MUST_USE;

/* Packed items. */
struct cli_item {
    char id[CVM_ID_MAX + 1];
    struct cvm_digest digest;
    uint64_t max_bytes, bytes;
    bool padded; /* "max"; else "none" */
    int64_t packed;
    char *blob; /* where the ciphertext lies; owned */
};
int cli_item_save(const struct cli *c, const struct cli_item *item, const struct cvm_secret *key,
                  struct cvm_error *err) CVM_MUST_USE;
/* The one with this digest, or the one packed last when digest is NULL. CVM_E_NOT_FOUND. */
int cli_item_load(const struct cli *c, const char *id, const struct cvm_digest *digest,
                  struct cli_item *ret, struct cvm_error *err) CVM_MUST_USE;
int cli_item_parse(json_t *document, struct cli_item *ret, struct cvm_error *err) CVM_MUST_USE;
int cli_item_key(const struct cli *c, const struct cli_item *item, struct cvm_secret *ret,
                 struct cvm_error *err) CVM_MUST_USE;
/* Ids of all packed items, sorted, each once: [strings]; owned. */
int cli_item_list(const struct cli *c, json_t **ret, struct cvm_error *err) CVM_MUST_USE;
void cli_item_free(struct cli_item *item);
#define CLI_AUTO_ITEM CVM_CLEANUP(cli_item_free)

/* A fresh share of the seed; the commitment goes into the manifest. */
int cli_seed_create(const struct cli *c, struct cvm_digest *ret_commitment,
                    struct cvm_error *err) CVM_MUST_USE;
int cli_seed_load(const struct cli *c, const struct cvm_digest *commitment, struct cvm_secret *ret,
                  struct cvm_error *err) CVM_MUST_USE;

#endif
