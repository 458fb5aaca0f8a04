#include "core/evidence/line.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/encode.h"

static const struct row {
    enum cvm_line line;
    const char *name, *title;
    enum cvm_root_platform platform;
    const char *root;
    enum cvm_tcb_layout layout;
    enum cvm_issuer_signature signature;
} rows[] = {
#define LINE(NAME, name, title, platform, root, layout, signature)                                 \
    {CVM_LINE_##NAME,       name, title, CVM_ROOT_##platform, root, CVM_TCB_##layout,              \
     CVM_ISSUER_##signature},
#include "core/evidence/lines.def"
#undef LINE
};
#define ROWS (sizeof(rows) / sizeof(rows[0]))

/* CPUID family and models of each line (combined values). Bergamo and Siena are of the Genoa line.
 */
static const struct {
    uint64_t family, first, last;
    enum cvm_line line;
} models[] = {
    {0x19, 0x00, 0x0f, CVM_LINE_MILAN},
    {0x19, 0x10, 0x1f, CVM_LINE_GENOA},
    {0x19, 0xa0, 0xaf, CVM_LINE_GENOA},
    {0x1a, 0x00, 0x11, CVM_LINE_TURIN},
};

/* Products whose keys another line's root certifies; every line has one of its own title. */
static const struct {
    const char *name;
    enum cvm_line line;
} products[] = {{"Bergamo", CVM_LINE_GENOA}, {"Siena", CVM_LINE_GENOA}};

static struct cvm_line_info infos[ROWS];

/* The pinned digests are written as text in the table; decoded once, before main, so that no caller
 * can race. */
__attribute__((constructor)) static void decode_table(void)
{
    for (size_t i = 0; i < ROWS; i++) {
        infos[i] = (struct cvm_line_info){
            .line = rows[i].line,
            .name = rows[i].name,
            .title = rows[i].title,
            .platform = rows[i].platform,
            .layout = rows[i].layout,
            .signature = rows[i].signature,
        };
        if (cvm_hex_decode(rows[i].root, infos[i].root.b, CVM_SHA256_LEN, NULL) < 0)
            abort();
    }
}

const struct cvm_line_info *cvm_lines(size_t *n)
{
    *n = ROWS;
    return infos;
}

const struct cvm_line_info *cvm_line_info(enum cvm_line line)
{
    for (size_t i = 0; i < ROWS; i++)
        if (infos[i].line == line)
            return &infos[i];
    return NULL;
}

enum cvm_line cvm_line_by_name(const char *name)
{
    for (size_t i = 0; i < ROWS; i++)
        if (strcmp(rows[i].name, name) == 0)
            return rows[i].line;
    return CVM_LINE_UNKNOWN;
}

enum cvm_line cvm_line_by_cpuid(uint64_t family, uint64_t model)
{
    for (size_t i = 0; i < sizeof(models) / sizeof(models[0]); i++)
        if (models[i].family == family && model >= models[i].first && model <= models[i].last)
            return models[i].line;
    return CVM_LINE_UNKNOWN;
}

/* "Milan", or with a stepping "Milan-B0". */
static bool is_product(const char *text, const char *name)
{
    size_t n = strlen(name);
    return strncmp(text, name, n) == 0 && (text[n] == '\0' || text[n] == '-');
}

bool cvm_line_has_product(enum cvm_line line, const char *product_name)
{
    const struct cvm_line_info *info = cvm_line_info(line);
    bool has = info && is_product(product_name, info->title);
    for (size_t i = 0; i < sizeof(products) / sizeof(products[0]); i++)
        has |= products[i].line == line && is_product(product_name, products[i].name);
    return has;
}

struct cvm_tcb cvm_tcb_decode(const uint8_t t[8], enum cvm_tcb_layout layout)
{
    if (layout == CVM_TCB_ZEN5)
        return (struct cvm_tcb){t[0], t[1], t[2], t[3], t[7]};
    return (struct cvm_tcb){-1, t[0], t[1], t[6], t[7]};
}

void cvm_tcb_encode(const struct cvm_tcb *tcb, enum cvm_tcb_layout layout, uint8_t out[8])
{
    memset(out, 0, 8);
    size_t at = 0;
    if (layout == CVM_TCB_ZEN5)
        out[at++] = (uint8_t)tcb->fmc;
    out[at++] = (uint8_t)tcb->bootloader;
    out[at++] = (uint8_t)tcb->tee;
    out[layout == CVM_TCB_ZEN5 ? 3 : 6] = (uint8_t)tcb->snp;
    out[7] = (uint8_t)tcb->microcode;
}

bool cvm_tcb_at_least(const struct cvm_tcb *tcb, const struct cvm_tcb *min)
{
    return tcb->fmc >= min->fmc && tcb->bootloader >= min->bootloader && tcb->tee >= min->tee &&
           tcb->snp >= min->snp && tcb->microcode >= min->microcode;
}

bool cvm_tcb_equal(const struct cvm_tcb *a, const struct cvm_tcb *b)
{
    return a->fmc == b->fmc && a->bootloader == b->bootloader && a->tee == b->tee &&
           a->snp == b->snp && a->microcode == b->microcode;
}

char *cvm_tcb_text(const struct cvm_tcb *t, char *out, size_t size)
{
    char fmc[24] = "";
    if (t->fmc >= 0)
        snprintf(fmc, sizeof(fmc), "fmc %d, ", t->fmc);
    snprintf(out, size, "%sbootloader %d, tee %d, snp %d, microcode %d", fmc, t->bootloader, t->tee,
             t->snp, t->microcode);
    return out;
}
