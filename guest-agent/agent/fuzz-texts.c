/* The text of a compiler that was taken over: whatever is accepted can be compared, and maps each
 * function to one that is there. */
#include <stdlib.h>
#include <string.h>

#include "guest-agent/agent/texts.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool holds)
{
    if (!holds)
        abort();
}

/* The first half is the caller's text, the second the callee's. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct cvm_manifest m;
    m.n_channels = 1;
    m.n_components = 2;
    m.channels[0] = (struct cvm_channel){.kind = CVM_CHANNEL_KIND_CALL,
                                         .from_component = 0,
                                         .to_component = 1,
                                         .interface = "a:b/c"};
    struct cvm_interfaces caller, callee;
    cvm_interfaces_of(&m, 0, &caller);
    cvm_interfaces_of(&m, 1, &callee);
    const uint8_t *end = memchr(data, '\n', size);
    size_t first = end ? (size_t)(end - data) : size;
    CVM_AUTO_JSON json_t *a = cvm_texts_parse(data, first, &caller, NULL);
    CVM_AUTO_JSON json_t *b =
        end ? cvm_texts_parse(end + 1, size - first - 1, &callee, NULL) : NULL;
    struct cvm_call_types types;
    if (!a || !b || cvm_texts_compare(&m, 0, a, b, &types, NULL) < 0)
        return 0;
    size_t there = json_array_size(json_object_get(json_object_get(b, "exports"), "a:b/c"));
    for (uint32_t i = 0; i < types.n; i++)
        check(types.callee[i] < there && (i == 0 || types.callee[i] > types.callee[i - 1]));
    cvm_call_types_free(&types);
    return 0;
}
