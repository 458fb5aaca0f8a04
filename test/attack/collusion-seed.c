/*
 * Host and one participant want to know or to choose the seed of the noise. The share is withheld,
 * it is chosen last (when the host has seen all other acts), it is another's share sent again, or
 * it is the share of another promise. Would succeed if a share were not fixed by the manifest, or
 * if the run started without one.
 */
#include "core/seal/release.h"
#include "core/seal/seed.h"
#include "test/attack/attack.h"

static enum cvm_code release_with(struct world *w, int who, const struct cvm_secret *share)
{
    struct cvm_error err;
    struct cvm_act act;
    world_make_release(w, who, &act);
    uint32_t seed = 0;
    while (act.items[seed].item >= 0)
        seed++;
    assert_int_equal(cvm_release_seal(&w->session_seal, &w->manifest.digest, &w->session, "seed",
                                      share, &act.items[seed].sealed, &err),
                     0);
    return world_act(w, who, &act);
}

static void test_seed(void **state)
{
    (void)state;
    struct world w;
    struct cvm_error err;
    attack_world(&w);
    json_object_set_new(world_last_component(&w), "random", json_string("seeded"));
    world_seal(&w);
    world_start_locked(&w);
    struct cvm_act annas;
    world_make_release(&w, 0, &annas);
    assert_int_equal(world_act(&w, 0, &annas), CVM_OK);
    assert_int_equal(world_release(&w, 2), CVM_OK);
    for (size_t i = 0; i < w.n_items; i++)
        assert_int_equal(world_item(&w, w.items[i].id), CVM_OK);
    /* Withheld: everything else is there, and nothing runs. */
    assert_int_equal(world_op(&w, "run"), CVM_E_NOT_EVERYONE_RELEASED);
    /* Chosen last: any share but the promised one, among them one of zeros and anna's own value. */
    for (int i = 0; i < 8; i++) {
        struct cvm_secret other = {0};
        assert_int_equal(cvm_secret_random(&other, CVM_SEED_LEN, &err), 0);
        if (i == 0)
            memset(other.data, 0, other.len);
        assert_int_equal(release_with(&w, 1, &other), CVM_E_SEED_MISMATCH);
        cvm_secret_free(&other);
    }
    assert_int_equal(release_with(&w, 1, &w.share[0]), CVM_E_SEED_MISMATCH);
    /* Anna's sealed share, as the host saw it pass, as berta's own. */
    struct cvm_act act;
    world_make_release(&w, 1, &act);
    for (uint32_t i = 0; i < act.n_items; i++)
        for (uint32_t j = 0; j < annas.n_items; j++)
            if (act.items[i].item < 0 && annas.items[j].item < 0)
                act.items[i].sealed = annas.items[j].sealed;
    assert_int_equal(world_act(&w, 1, &act), CVM_E_SEED_MISMATCH);
    assert_int_equal(world_op(&w, "run"), CVM_E_NOT_EVERYONE_RELEASED);
    assert_int_equal(world_release(&w, 1), CVM_OK); /* the promised one */
    assert_true(world_await(&w, "sealed"));
    world_close(&w);
}

ATTACK_MAIN(test_seed)
