// SPDX-License-Identifier: BSD-3-Clause
// The 9P device as a client that only looks sees it. Expectations: the messages of 9P2000.L as
// Linux's client (net/9p) writes and reads them, and what the calls behind them mean.
#include "dev/virtio_9p_mock.h"
#include "sim/checkpoint.h"

static void the_configuration_has_the_tag(void **arg)
{
    struct client k;
    char tag[8] = "";

    client_boot(&k, "tag", "shared", NULL);
    assert_int_equal(driver_get(&k.d, 8), 9);
    assert_true(k.d.features & 1);
    assert_int_equal(mmio_read(&k.d.mmio, MMIO_CONFIG, 2), 6);
    for (unsigned i = 0; i < 6; i++)
        tag[i] = (char)mmio_read(&k.d.mmio, MMIO_CONFIG + 2 + i, 1);
    assert_string_equal(tag, "shared");
    client_end(&k);
}

static void the_version_is_2000_L_and_the_smaller_size(void **arg)
{
    struct client k;
    char version[32];

    client_boot(&k, NULL);
    begin(&k, T_VERSION);
    put(&k, 4, 0x7fffffff);
    put_text(&k, "9P2000.L");
    assert_int_equal(call(&k), 0);
    assert_int_equal(get(&k, 4), 128 * 1024);
    get_text(&k, version);
    assert_string_equal(version, "9P2000.L");
    begin(&k, T_VERSION);
    put(&k, 4, 8192);
    put_text(&k, "9P2000.u");
    assert_int_equal(call(&k), 0);
    assert_int_equal(get(&k, 4), 8192);
    get_text(&k, version);
    assert_string_equal(version, "unknown");
    // A version forgets all fids.
    assert_int_equal(getattr(&k, ROOT), EBADF);
    client_end(&k);
}

static void a_file_is_read_where_it_is_asked_for(void **arg)
{
    struct client k;

    client_boot(&k, NULL);
    assert_int_equal(walk(&k, ROOT, 1, "hello"), 0);
    assert_int_equal(read_fid(&k, 1, 0, 100), EBADF); // not open
    assert_int_equal(open_fid(&k, 1, O_RDONLY), 0);
    assert_int_equal(read_fid(&k, 1, 0, 100), 0);
    assert_int_equal(get(&k, 4), 12);
    assert_memory_equal(k.message + k.at, "hello world\n", 12);
    assert_int_equal(read_fid(&k, 1, 6, 3), 0);
    assert_int_equal(get(&k, 4), 3);
    assert_memory_equal(k.message + k.at, "wor", 3);
    assert_int_equal(read_fid(&k, 1, 12, 100), 0);
    assert_int_equal(get(&k, 4), 0);
    assert_int_equal(read_fid(&k, 1, ~0ull, 100), EINVAL);
    assert_int_equal(clunk(&k, 1), 0);
    assert_int_equal(read_fid(&k, 1, 0, 100), EBADF);
    client_end(&k);
}

static void a_read_is_cut_to_the_message_size(void **arg)
{
    struct client k;
    char text[9001];

    client_boot(&k, NULL);
    memset(text, 'x', 9000);
    text[9000] = '\0';
    make_file(&k, "large", text);
    begin(&k, T_VERSION);
    put(&k, 4, 4096);
    put_text(&k, "9P2000.L");
    assert_int_equal(call(&k), 0);
    begin(&k, T_ATTACH);
    put(&k, 4, ROOT);
    put(&k, 4, (u32)NO_FID);
    put_text(&k, "");
    put_text(&k, "");
    put(&k, 4, 0);
    assert_int_equal(call(&k), 0);
    assert_int_equal(walk(&k, ROOT, 1, "large"), 0);
    assert_int_equal(open_fid(&k, 1, O_RDONLY), 0);
    assert_int_equal(read_fid(&k, 1, 0, 9000), 0);
    assert_int_equal(get(&k, 4), 4096 - 11);
    client_end(&k);
}

static void a_walk_gives_a_qid_for_each_name(void **arg)
{
    struct client k;
    u64 sub, a;

    client_boot(&k, NULL);
    assert_int_equal(walk(&k, ROOT, 1, "sub/a"), 0);
    assert_int_equal(get(&k, 2), 2);
    assert_int_equal(get(&k, 1), 0x80);
    get(&k, 4);
    sub = get(&k, 8);
    assert_int_equal(get(&k, 1), 0);
    get(&k, 4);
    a = get(&k, 8);
    assert_int_not_equal(sub, a);
    // The same file has the same number each time, however it is reached.
    assert_int_equal(walk(&k, 1, 2, "../../sub/a"), 0);
    assert_int_equal(get(&k, 2), 4);
    k.at += 3 * 13 + 5;
    assert_int_equal(get(&k, 8), a);
    client_end(&k);
}

static void a_walk_that_ends_early_makes_no_fid(void **arg)
{
    struct client k;

    client_boot(&k, NULL);
    assert_int_equal(walk(&k, ROOT, 1, "nothing"), ENOENT);
    assert_int_equal(walk(&k, ROOT, 1, "sub/nothing"), 0);
    assert_int_equal(get(&k, 2), 1);
    assert_int_equal(getattr(&k, 1), EBADF);
    assert_int_equal(walk(&k, ROOT, 1, "hello/x"), 0);
    assert_int_equal(get(&k, 2), 1);
    assert_int_equal(getattr(&k, 1), EBADF);
    client_end(&k);
}

static void no_walk_leaves_the_folder(void **arg)
{
    static const char *const names[] = {"../..", "sub/../../..", "up/..", "up", "passwd"};
    struct client k;
    u64 root;

    client_boot(&k, NULL);
    assert_int_equal(getattr(&k, ROOT), 0);
    k.at += 8 + 5;
    root = get(&k, 8);
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(walk(&k, ROOT, 1, names[i]), 0);
        assert_int_equal(getattr(&k, 1), 0);
        k.at += 8 + 5;
        assert_int_equal(get(&k, 8), root);
        clunk(&k, 1);
    }
    // Links are seen, not followed.
    for (size_t i = 3; i < 5; i++) {
        assert_int_equal(walk(&k, ROOT, 1, names[i]), 0);
        assert_int_equal(open_fid(&k, 1, O_RDONLY), ELOOP);
        assert_int_equal(walk(&k, 1, 2, "etc"), ELOOP);
        clunk(&k, 1);
    }
    // One name may be no path.
    begin(&k, T_WALK);
    put(&k, 4, ROOT);
    put(&k, 4, 1);
    put(&k, 2, 1);
    put_text(&k, "sub/../../..");
    assert_int_equal(call(&k), ENOENT);
    begin(&k, T_WALK);
    put(&k, 4, ROOT);
    put(&k, 4, 1);
    put(&k, 2, 1);
    put_text(&k, "/etc");
    assert_int_equal(call(&k), ENOENT);
    client_end(&k);
}

static void a_link_that_takes_the_place_of_a_directory_is_not_followed(void **arg)
{
    struct client k;
    char path[128], other[128];

    client_boot(&k, NULL);
    assert_int_equal(walk(&k, ROOT, 1, "sub/a"), 0);
    assert_int_equal(walk(&k, ROOT, 2, "sub"), 0);
    snprintf(path, sizeof(path), "%s/sub", k.folder);
    snprintf(other, sizeof(other), "%s/was-sub", k.folder);
    assert_int_equal(rename(path, other), 0);
    assert_int_equal(symlink("/etc", path), 0);
    assert_int_equal(open_fid(&k, 1, O_RDONLY), ELOOP);
    assert_int_equal(walk(&k, 2, 3, "passwd"), ELOOP);
    client_end(&k);
}

static void a_link_tells_its_target(void **arg)
{
    struct client k;
    char target[64];

    client_boot(&k, NULL);
    assert_int_equal(walk(&k, ROOT, 1, "passwd"), 0);
    assert_int_equal(get(&k, 2), 1);
    assert_int_equal(get(&k, 1), 0x02);
    begin(&k, T_READLINK);
    put(&k, 4, 1);
    assert_int_equal(call(&k), 0);
    get_text(&k, target);
    assert_string_equal(target, "/etc/passwd");
    assert_int_equal(walk(&k, ROOT, 2, "hello"), 0);
    begin(&k, T_READLINK);
    put(&k, 4, 2);
    assert_int_equal(call(&k), EINVAL);
    client_end(&k);
}

static void a_pipe_cannot_be_opened(void **arg)
{
    struct client k;

    client_boot(&k, NULL);
    assert_int_equal(walk(&k, ROOT, 1, "pipe"), 0);
    assert_int_equal(open_fid(&k, 1, O_RDONLY), EACCES);
    client_end(&k);
}

// The names from `offset` on, with ',' between; *offset moves on.
static void list(struct client *k, u32 fid, u64 *offset, u32 count, char *ret_names)
{
    u32 bytes;

    begin(k, T_READDIR);
    put(k, 4, fid);
    put(k, 8, *offset);
    put(k, 4, count);
    assert_int_equal(call(k), 0);
    bytes = (u32)get(k, 4);
    assert_true(bytes <= count && k->at + bytes == k->size);
    ret_names[0] = '\0';
    while (k->at < k->size) {
        char name[256];

        get(k, 1 + 4);
        get(k, 8);
        *offset = get(k, 8);
        get(k, 1);
        get_text(k, name);
        strcat(strcat(ret_names, name), ",");
    }
}

static void directories_are_listed_in_order(void **arg)
{
    struct client k;
    char names[256];
    u64 offset = 0;

    client_boot(&k, NULL);
    assert_int_equal(walk(&k, ROOT, 1, "sub"), 0);
    assert_int_equal(open_fid(&k, 1, O_RDONLY | O_DIRECTORY), 0);
    list(&k, 1, &offset, 4096, names);
    assert_string_equal(names, ".,..,!,a,b,");
    list(&k, 1, &offset, 4096, names);
    assert_string_equal(names, "");
    client_end(&k);
}

static void a_listing_goes_on_where_it_was(void **arg)
{
    static const char *const expected[] = {".,", "..,", "!,", "a,", "b,", ""};
    struct client k;
    char names[256];
    u64 offset = 0;

    client_boot(&k, NULL);
    assert_int_equal(walk(&k, ROOT, 1, "sub"), 0);
    assert_int_equal(open_fid(&k, 1, O_RDONLY), 0);
    for (size_t i = 0; i < ARRAY_SIZE(expected); i++) {
        list(&k, 1, &offset, 26, names);
        assert_string_equal(names, expected[i]);
    }
    offset = 3;
    list(&k, 1, &offset, 4096, names);
    assert_string_equal(names, "a,b,");
    offset = 1ull << 63;
    list(&k, 1, &offset, 4096, names);
    assert_string_equal(names, "");
    client_end(&k);
}

static void removing_what_was_listed_skips_nothing(void **arg)
{
    struct client k;
    char names[256], path[128];
    u64 offset = 0;

    client_boot(&k, NULL);
    assert_int_equal(walk(&k, ROOT, 1, "sub"), 0);
    assert_int_equal(open_fid(&k, 1, O_RDONLY), 0);
    for (unsigned i = 0; i < 3; i++)
        list(&k, 1, &offset, 26, names);
    assert_string_equal(names, "!,");
    snprintf(path, sizeof(path), "%s/sub/!", k.folder);
    assert_int_equal(unlink(path), 0);
    list(&k, 1, &offset, 4096, names);
    assert_string_equal(names, "a,b,");
    client_end(&k);
}

static void a_directory_of_too_many_names_is_an_error(void **arg)
{
    struct client k;

    client_boot(&k, "directory_size", "64KiB", NULL);
    for (unsigned i = 0; i < 4100; i++) {
        char name[32];

        snprintf(name, sizeof(name), "sub/%u", i);
        make_file(&k, name, "");
    }
    assert_int_equal(walk(&k, ROOT, 1, "sub"), 0);
    assert_int_equal(open_fid(&k, 1, O_RDONLY), 0);
    begin(&k, T_READDIR);
    put(&k, 4, 1);
    put(&k, 8, 0);
    put(&k, 4, 4096);
    assert_int_equal(call(&k), EOVERFLOW);
    client_end(&k);
}

static void attributes_do_not_depend_on_the_host(void **arg)
{
    struct client k;

    client_boot(&k, "uid", "7", "gid", "8", "mtime", "1234567", NULL);
    assert_int_equal(walk(&k, ROOT, 1, "hello"), 0);
    assert_int_equal(getattr(&k, 1), 0);
    assert_int_equal(get(&k, 8), 0x7ff);
    k.at += 13;
    assert_int_equal(get(&k, 4), S_IFREG | 0644);
    assert_int_equal(get(&k, 4), 7);
    assert_int_equal(get(&k, 4), 8);
    assert_int_equal(get(&k, 8), 1);
    assert_int_equal(get(&k, 8), 0);
    assert_int_equal(get(&k, 8), 12);
    assert_int_equal(get(&k, 8), 4096);
    assert_int_equal(get(&k, 8), 1);
    for (unsigned i = 0; i < 3; i++) {
        assert_int_equal(get(&k, 8), 1234567);
        assert_int_equal(get(&k, 8), 0);
    }
    client_end(&k);
}

static void real_attributes_are_those_of_the_host(void **arg)
{
    struct client k;
    struct stat s;
    char path[128];

    client_boot(&k, "real_attributes", "true", NULL);
    snprintf(path, sizeof(path), "%s/hello", k.folder);
    assert_int_equal(stat(path, &s), 0);
    assert_int_equal(walk(&k, ROOT, 1, "hello"), 0);
    assert_int_equal(getattr(&k, 1), 0);
    k.at += 8 + 13 + 4;
    assert_int_equal(get(&k, 4), s.st_uid);
    assert_int_equal(get(&k, 4), s.st_gid);
    k.at += 5 * 8 + 16;
    assert_int_equal(get(&k, 8), s.st_mtim.tv_sec);
    client_end(&k);
}

static void nothing_can_be_changed_unless_it_is_writable(void **arg)
{
    static const u8 types[] = {T_LCREATE, T_SYMLINK, T_MKNOD, T_RENAME,   T_SETATTR,
                               T_LINK,    T_MKDIR,   T_WRITE, T_RENAMEAT, T_UNLINKAT};
    struct client k;

    client_boot(&k, NULL);
    for (size_t i = 0; i < ARRAY_SIZE(types); i++) {
        begin(&k, types[i]);
        for (unsigned j = 0; j < 20; j++)
            put(&k, 4, 0);
        assert_int_equal(call(&k), EROFS);
    }
    assert_int_equal(walk(&k, ROOT, 1, "hello"), 0);
    assert_int_equal(open_fid(&k, 1, O_RDWR), EROFS);
    assert_int_equal(open_fid(&k, 1, O_WRONLY), EROFS);
    assert_int_equal(open_fid(&k, 1, O_RDONLY | O_TRUNC), EROFS);
    begin(&k, T_REMOVE);
    put(&k, 4, 1);
    assert_int_equal(call(&k), EROFS);
    assert_int_equal(getattr(&k, 1), EBADF); // the fid is gone
    assert_string_equal(content(&k, "hello"), "hello world\n");
    client_end(&k);
}

static void the_number_of_fids_is_limited(void **arg)
{
    struct client k;

    client_boot(&k, NULL);
    for (u32 i = 1; i < 20; i++)
        assert_int_equal(walk(&k, ROOT, i, ""), 0);
    assert_int_equal(walk(&k, ROOT, 20, ""), EBADF);
    assert_int_equal(walk(&k, ROOT, 5, ""), EBADF); // is in use
    assert_int_equal(clunk(&k, 5), 0);
    assert_int_equal(walk(&k, ROOT, 20, ""), 0);
    client_end(&k);
}

static void other_messages_have_their_answers(void **arg)
{
    struct client k;

    client_boot(&k, NULL);
    begin(&k, T_STATFS);
    put(&k, 4, ROOT);
    assert_int_equal(call(&k), 0);
    assert_int_equal(get(&k, 4), 0x01021997);
    begin(&k, T_XATTRWALK);
    put(&k, 4, ROOT);
    put(&k, 4, 1);
    put_text(&k, "security.capability");
    assert_int_equal(call(&k), EOPNOTSUPP);
    begin(&k, T_FLUSH);
    put(&k, 2, 77);
    assert_int_equal(call(&k), 0);
    begin(&k, T_LOCK);
    put(&k, 4, ROOT);
    assert_int_equal(call(&k), 0);
    assert_int_equal(get(&k, 1), 0);
    begin(&k, 99);
    assert_int_equal(call(&k), EOPNOTSUPP);
    begin(&k, 255);
    assert_int_equal(call(&k), EOPNOTSUPP);
    client_end(&k);
}

static void messages_that_are_cut_off_are_errors(void **arg)
{
    struct client k;

    client_boot(&k, "writable", "true", NULL);
    for (unsigned type = 0; type < 124; type += 2) {
        if (type == T_FLUSH)
            continue;
        begin(&k, (u8)type);
        assert_int_not_equal(call(&k), 0);
    }
    assert_int_equal(getattr(&k, ROOT), 0);
    // A size that is not that of the message.
    begin(&k, T_GETATTR);
    put(&k, 4, ROOT);
    put(&k, 8, 0);
    memset(k.message, 0xff, 4);
    assert_true(exchange(&k, MESSAGE_BYTES));
    assert_int_equal(k.message[4], R_ERROR);
    // A string with a NUL, one that is longer than the message, one that is longer than a name.
    begin(&k, T_WALK);
    put(&k, 4, ROOT), put(&k, 4, 1), put(&k, 2, 1), put(&k, 2, 3), put(&k, 3, 0x620061);
    assert_int_equal(call(&k), EPROTO);
    begin(&k, T_WALK);
    put(&k, 4, ROOT), put(&k, 4, 1), put(&k, 2, 1), put(&k, 2, 0xffff), put(&k, 3, 0x626161);
    assert_int_equal(call(&k), EPROTO);
    begin(&k, T_WALK);
    put(&k, 4, ROOT), put(&k, 4, 1), put(&k, 2, 1), put(&k, 2, 256);
    memset(k.message + k.size, 'a', 256);
    k.size += 256;
    assert_int_equal(call(&k), ENAMETOOLONG);
    client_end(&k);
}

static void a_request_without_room_for_a_reply_breaks_the_device(void **arg)
{
    struct client k;

    client_boot(&k, NULL);
    begin(&k, T_GETATTR);
    put(&k, 4, ROOT);
    put(&k, 8, 0);
    memcpy(k.message, &k.size, 4);
    // An error fits.
    assert_true(exchange(&k, 11));
    assert_int_equal(k.message[4], R_ERROR);
    assert_false(exchange(&k, 10));
    assert_true(driver_status(&k.d) & STATUS_NEEDS_RESET);
    driver_start(&k.d, ~0ull, 16);
    assert_int_equal(attach(&k), 0);
    client_end(&k);
}

static void fids_survive_a_checkpoint(void **arg)
{
    struct client k, other = {0};
    struct error err;
    char path[128];
    char names[256];
    u64 offset = 0;

    client_boot(&k, NULL);
    assert_int_equal(walk(&k, ROOT, 1, "sub/b"), 0);
    assert_int_equal(open_fid(&k, 1, O_RDONLY), 0);
    assert_int_equal(walk(&k, ROOT, 2, "sub"), 0);
    assert_int_equal(open_fid(&k, 2, O_RDONLY), 0);
    for (unsigned i = 0; i < 3; i++)
        list(&k, 2, &offset, 26, names);
    snprintf(path, sizeof(path), "%s/saved", k.folder);
    if (!checkpoint_save(&k.d.sim, path, NULL, &err))
        fail_msg("%s", err.message);
    memcpy(other.folder, k.folder, sizeof(k.folder));
    driver_new(&other.d, &virtio_9p_type);
    driver_set(&other.d, "folder", k.folder);
    driver_set(&other.d, "fids", "20");
    driver_build(&other.d);
    if (!checkpoint_load(&other.d.sim, path, NULL, &err))
        fail_msg("%s", err.message);
    assert_int_equal(sim_hash(&k.d.sim), sim_hash(&other.d.sim));
    // The driver's own memory of its rings.
    other.d.size = k.d.size;
    memcpy(other.d.available, k.d.available, sizeof(k.d.available));
    memcpy(other.d.seen, k.d.seen, sizeof(k.d.seen));
    memcpy(other.d.next_descriptor, k.d.next_descriptor, sizeof(k.d.next_descriptor));
    assert_int_equal(read_fid(&other, 1, 0, 10), 0);
    assert_int_equal(get(&other, 4), 1);
    assert_int_equal(get(&other, 1), 'b');
    list(&other, 2, &offset, 4096, names);
    assert_string_equal(names, "a,b,");
    sim_release(&other.d.sim);
    client_end(&k);
}

static void a_folder_that_is_not_there_is_an_error(void **arg)
{
    struct driver d;
    struct error err;

    driver_new(&d, &virtio_9p_type);
    driver_set(&d, "folder", "/nonexistent/x");
    assert_false(sim_build(&d.sim, &err));
    assert_non_null(strstr(err.message, "/nonexistent/x"));
    sim_release(&d.sim);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_configuration_has_the_tag),
        cmocka_unit_test(the_version_is_2000_L_and_the_smaller_size),
        cmocka_unit_test(a_file_is_read_where_it_is_asked_for),
        cmocka_unit_test(a_read_is_cut_to_the_message_size),
        cmocka_unit_test(a_walk_gives_a_qid_for_each_name),
        cmocka_unit_test(a_walk_that_ends_early_makes_no_fid),
        cmocka_unit_test(no_walk_leaves_the_folder),
        cmocka_unit_test(a_link_that_takes_the_place_of_a_directory_is_not_followed),
        cmocka_unit_test(a_link_tells_its_target),
        cmocka_unit_test(a_pipe_cannot_be_opened),
        cmocka_unit_test(directories_are_listed_in_order),
        cmocka_unit_test(a_listing_goes_on_where_it_was),
        cmocka_unit_test(removing_what_was_listed_skips_nothing),
        cmocka_unit_test(a_directory_of_too_many_names_is_an_error),
        cmocka_unit_test(attributes_do_not_depend_on_the_host),
        cmocka_unit_test(real_attributes_are_those_of_the_host),
        cmocka_unit_test(nothing_can_be_changed_unless_it_is_writable),
        cmocka_unit_test(the_number_of_fids_is_limited),
        cmocka_unit_test(other_messages_have_their_answers),
        cmocka_unit_test(messages_that_are_cut_off_are_errors),
        cmocka_unit_test(a_request_without_room_for_a_reply_breaks_the_device),
        cmocka_unit_test(fids_survive_a_checkpoint),
        cmocka_unit_test(a_folder_that_is_not_there_is_an_error),
    };

    return cmocka_run_group_tests_name("dev/virtio_9p", tests, NULL, NULL);
}
