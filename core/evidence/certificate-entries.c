#include "core/evidence/certificate-entries.h"

#include <string.h>

/* GUIDs in RFC 4122 byte order of what is read; other entries are passed over. */
static const uint8_t known[CVM_ENTRY_KINDS][16] = {
    [CVM_ENTRY_VCEK] = {0x63, 0xda, 0x75, 0x8d, 0xe6, 0x64, 0x45, 0x64, 0xad, 0xc5, 0xf4, 0xb9,
                        0x3b, 0xe8, 0xac, 0xcd},
    [CVM_ENTRY_VLEK] = {0xa8, 0x07, 0x4b, 0xc2, 0xa2, 0x5a, 0x48, 0x3e, 0xaa, 0xe6, 0x39, 0xc0,
                        0x45, 0xa0, 0xb8, 0xa1},
    [CVM_ENTRY_ISSUER] = {0x4a, 0xb7, 0xb3, 0x79, 0xbb, 0xac, 0x4f, 0xe4, 0xa0, 0x2f, 0x05, 0xae,
                          0xf3, 0x27, 0xc7, 0x82},
    [CVM_ENTRY_ROOT] = {0xc0, 0xb4, 0x06, 0xa4, 0xa8, 0x03, 0x49, 0x52, 0x97, 0x43, 0x3f, 0xb6,
                        0x01, 0x4c, 0xd0, 0xae},
    [CVM_ENTRY_CRL] = {0x92, 0xf8, 0x1b, 0xc3, 0x58, 0x11, 0x4d, 0x3d, 0x97, 0xff, 0xd1, 0x9f, 0x88,
                       0xdc, 0x67, 0xea},
};

const uint8_t *cvm_certificate_entry_guid(enum cvm_certificate_entry_kind kind)
{
    return known[kind];
}

static bool is_known(const uint8_t *guid)
{
    for (size_t i = 0; i < CVM_ENTRY_KINDS; i++)
        if (memcmp(known[i], guid, 16) == 0)
            return true;
    return false;
}

int cvm_certificate_entry_next(struct cvm_cursor *t, struct cvm_certificate_entry *ret)
{
    static const uint8_t end[16];
    const uint8_t *guid = cvm_cursor_take(t, 16);
    uint32_t offset = cvm_cursor_u32le(t), size = cvm_cursor_u32le(t);
    if (t->failed)
        return -1;
    if (memcmp(guid, end, sizeof(end)) == 0)
        return 0;
    /* No sum of the two foreign numbers: it could wrap. */
    if (offset < CVM_CERTIFICATE_ENTRY_LEN || offset > t->len || size > t->len - offset)
        return -1;
    *ret = (struct cvm_certificate_entry){t->data + offset, size, is_known(guid)};
    return 1;
}
