/*
 * VW8: nothing signed says what ran. Here there is a receipt, and the host wants another one: it
 * changes each character of it, takes the one of another session of the same people, and shows
 * another sealed output as the one that it names. Would succeed if any of them were believed.
 */
#include "core/record/receipt.h"
#include "test/attack/attack.h"

static void lived(struct world *w, struct cvm_buf *ret_receipt, struct cvm_buf *ret_output)
{
    world_seal(w);
    world_fill(w);
    assert_string_equal(world_run(w), "releasing");
    world_fetch(w, "receipt", NULL, ret_receipt);
    world_fetch(w, "output", "result", ret_output);
}

static int verify(const struct world *w, const struct cvm_buf *receipt, struct cvm_receipt *ret)
{
    struct cvm_error err;
    return cvm_receipt_verify(&w->manifest, &w->session_sign, receipt->data, receipt->len, ret,
                              &err);
}

static void test_no_record(void **state)
{
    (void)state;
    struct world w, again;
    struct cvm_receipt r;
    struct cvm_error err;
    CVM_AUTO_BUF struct cvm_buf receipt = {0}, output = {0}, others = {0}, other_output = {0};
    attack_world(&w);
    lived(&w, &receipt, &output);
    attack_world(&again);
    lived(&again, &others, &other_output);
    assert_int_equal(verify(&w, &receipt, &r), 0);
    assert_true(r.completed);
    for (size_t i = 0; i < receipt.len; i++) {
        struct cvm_receipt forged;
        uint8_t was = receipt.data[i];
        receipt.data[i] = was == 'A' ? 'B' : 'A';
        if (was != '.' && i + 1 == receipt.len) { /* its last bits may mean nothing */
            receipt.data[i] = '!';
        }
        if (verify(&w, &receipt, &forged) == 0)
            fail_msg("character %zu may be another", i);
        receipt.data[i] = was;
    }
    struct cvm_receipt foreign;
    assert_int_equal(verify(&w, &others, &foreign), -1);
    struct cvm_digest right = cvm_sha256(output.data, output.len);
    struct cvm_digest wrong = cvm_sha256(other_output.data, other_output.len);
    assert_int_equal(cvm_receipt_check_output(&w.manifest, &r, 0, &right, &err), 0);
    assert_int_equal(cvm_receipt_check_output(&w.manifest, &r, 0, &wrong, &err), -1);
    world_close(&w);
    world_close(&again);
}

ATTACK_MAIN(test_no_record)
