/* The certificate table of the GHCB, as configfs-tsm's auxblob and hosts deliver it: a hint,
 * believed by nobody. */
#include <string.h>

#include "core/base/cursor.h"
#include "core/evidence/certificate-internal.h"

#define ENTRY 24 /* GUID, u32 offset, u32 length */

/* GUIDs in RFC 4122 byte order of what is a certificate; lists of revoked ones and unknown entries
 * are passed over. */
static const uint8_t known[][16] = {
    {0x63, 0xda, 0x75, 0x8d, 0xe6, 0x64, 0x45, 0x64, 0xad, 0xc5, 0xf4, 0xb9, 0x3b, 0xe8, 0xac,
     0xcd}, /* VCEK */
    {0xa8, 0x07, 0x4b, 0xc2, 0xa2, 0x5a, 0x48, 0x3e, 0xaa, 0xe6, 0x39, 0xc0, 0x45, 0xa0, 0xb8,
     0xa1}, /* VLEK */
    {0x4a, 0xb7, 0xb3, 0x79, 0xbb, 0xac, 0x4f, 0xe4, 0xa0, 0x2f, 0x05, 0xae, 0xf3, 0x27, 0xc7,
     0x82}, /* ASK, ASVK */
    {0xc0, 0xb4, 0x06, 0xa4, 0xa8, 0x03, 0x49, 0x52, 0x97, 0x43, 0x3f, 0xb6, 0x01, 0x4c, 0xd0,
     0xae}, /* ARK */
};

static bool is_known(const uint8_t *guid)
{
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
        if (memcmp(known[i], guid, 16) == 0)
            return true;
    return false;
}

struct entry {
    const uint8_t *guid;
    uint32_t offset, size;
};

/* The next entry: 1, 0 at the end of the table, -1 for none that stays inside the data. */
static int next(struct cvm_cursor *t, struct entry *ret)
{
    static const uint8_t end[16];
    ret->guid = cvm_cursor_take(t, 16);
    ret->offset = cvm_cursor_u32le(t);
    ret->size = cvm_cursor_u32le(t);
    if (t->failed)
        return -1;
    if (memcmp(ret->guid, end, sizeof(end)) == 0)
        return 0;
    /* No sum of the two foreign numbers: it could wrap. */
    return ret->offset >= ENTRY && ret->offset <= t->len && ret->size <= t->len - ret->offset ? 1
                                                                                              : -1;
}

bool cvm_certificates_is_table(const void *data, size_t len)
{
    struct cvm_cursor t = cvm_cursor(data, len);
    struct entry e;
    int r;
    size_t n = 0;
    for (; (r = next(&t, &e)) == 1; n++)
        ;
    return r == 0 && n > 0;
}

int cvm_certificates_add_table(struct cvm_certificates *c, const void *data, size_t len,
                               struct cvm_error *err)
{
    struct cvm_cursor t = cvm_cursor(data, len);
    struct entry e;
    int r;
    while ((r = next(&t, &e)) == 1)
        if (e.size > 0 && is_known(e.guid))
            CVM_GUARD(cvm_certificates_add_plain(c, (const uint8_t *)data + e.offset, e.size, err));
    CVM_ENSURE(r == 0, err, CVM_E_EVIDENCE_REFUSED, "the table of certificates is cut short");
    return 0;
}
