/*
 * The gate "JSON schema":
 *
 *   schema-check IN OUT SCHEMA
 *
 * SCHEMA is the text of a schema in the subset of schema.h; as an argument it stands in the
 * manifest that everyone signs. A document that fits is written out in one spelling, so that
 * blanks, the order of members or the form of a number carry nothing; any other is refused.
 */
#include <string.h>

#include "schema.h"

static const char NAME[] = "schema-check";

int main(int argc, char **argv)
{
    struct json_document schema, document;
    if (argc != 4)
        return gate_end(NAME, "IN OUT SCHEMA", 2);
    const char *why = json_parse(argv[3], strlen(argv[3]), &schema);
    if (!why)
        why = schema_check(schema.root);
    if (why)
        return gate_end(NAME, why, 2);
    struct text in = {0}, out = {0};
    if (!text_read(&in, argv[1], GATE_INPUT_MAX))
        return gate_end(NAME, "the document can't be read", 1);
    why = json_parse(in.data, in.len, &document);
    if (!why)
        why = schema_pass(schema.root, document.root, &out);
    if (why)
        return gate_end(NAME, why, 1);
    return text_save(&out, argv[2]) ? 0 : gate_end(NAME, "the result can't be written", 1);
}
