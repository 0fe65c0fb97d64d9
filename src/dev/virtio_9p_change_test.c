// SPDX-License-Identifier: BSD-3-Clause
// The 9P device with `writable`: what a client changes, and that nothing outside of the folder is
// touched. Expectations: the messages of 9P2000.L and what the calls behind them mean.
#include "dev/virtio_9p_mock.h"

static void boot(struct client *k)
{
    client_boot(k, "writable", "true", NULL);
}

static int create(struct client *k, u32 fid, const char *name, u32 flags, u32 mode)
{
    begin(k, T_LCREATE);
    put(k, 4, fid);
    put_text(k, name);
    put(k, 4, flags);
    put(k, 4, mode);
    put(k, 4, 0);
    return call(k);
}

static int named(struct client *k, u8 type, u32 fid, const char *name, u64 rest, unsigned bytes)
{
    begin(k, type);
    put(k, 4, fid);
    put_text(k, name);
    put(k, MIN(bytes, 8), rest);
    for (; bytes > 8; bytes--)
        put(k, 1, 0);
    return call(k);
}

static int make_link(struct client *k, u32 fid, const char *name, const char *target)
{
    begin(k, T_SYMLINK);
    put(k, 4, fid);
    put_text(k, name);
    put_text(k, target);
    put(k, 4, 0);
    return call(k);
}

static int rename_at(struct client *k, u32 from, const char *name, u32 to, const char *new_name)
{
    begin(k, T_RENAMEAT);
    put(k, 4, from);
    put_text(k, name);
    put(k, 4, to);
    put_text(k, new_name);
    return call(k);
}

static int set_attributes(struct client *k, u32 fid, u32 valid, u32 mode, u64 size)
{
    begin(k, T_SETATTR);
    put(k, 4, fid);
    put(k, 4, valid);
    put(k, 4, mode);
    put(k, 8, 0);
    put(k, 8, size);
    for (unsigned i = 0; i < 4; i++)
        put(k, 8, 5000);
    return call(k);
}

static void a_file_is_created_and_written(void **arg)
{
    struct client k;

    boot(&k);
    assert_int_equal(walk(&k, ROOT, 1, "sub"), 0);
    assert_int_equal(create(&k, 1, "new", O_RDWR, 0640), 0);
    assert_int_equal(write_fid(&k, 1, 0, "abcdef"), 0);
    assert_int_equal(get(&k, 4), 6);
    assert_int_equal(write_fid(&k, 1, 2, "XY"), 0);
    assert_string_equal(content(&k, "sub/new"), "abXYef");
    // The fid is now that of the file.
    assert_int_equal(read_fid(&k, 1, 0, 3), 0);
    assert_int_equal(get(&k, 4), 3);
    begin(&k, T_FSYNC);
    put(&k, 4, 1);
    put(&k, 4, 0);
    assert_int_equal(call(&k), 0);
    client_end(&k);
}

static void a_file_that_cannot_be_written_is_written_by_who_made_it(void **arg)
{
    struct client k;

    boot(&k);
    assert_int_equal(walk(&k, ROOT, 1, ""), 0);
    assert_int_equal(create(&k, 1, "object", O_RDWR | O_EXCL, 0444), 0);
    assert_int_equal(write_fid(&k, 1, 0, "abc"), 0);
    assert_string_equal(content(&k, "object"), "abc");
    client_end(&k);
}

static void creating_follows_no_link(void **arg)
{
    struct client k;

    boot(&k);
    assert_int_equal(make_link(&k, ROOT, "out", "/tmp/facet-9p-must-not-exist"), 0);
    assert_int_equal(walk(&k, ROOT, 1, ""), 0);
    assert_int_equal(create(&k, 1, "out", O_RDWR, 0644), ELOOP);
    assert_int_not_equal(access("/tmp/facet-9p-must-not-exist", F_OK), 0);
    assert_int_equal(create(&k, 1, "pipe", O_RDWR, 0644), EEXIST);
    client_end(&k);
}

static void names_that_are_paths_are_refused(void **arg)
{
    static const char *const bad[] = {"", ".", "..", "../x", "sub/x", "/tmp/x"};
    struct client k;

    boot(&k);
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        assert_int_equal(walk(&k, ROOT, 1, ""), 0);
        assert_int_equal(create(&k, 1, bad[i], O_RDWR, 0644), EINVAL);
        clunk(&k, 1);
        assert_int_equal(named(&k, T_MKDIR, ROOT, bad[i], 0755, 8), EINVAL);
        assert_int_equal(named(&k, T_UNLINKAT, ROOT, bad[i], 0x200, 4), EINVAL);
        assert_int_equal(make_link(&k, ROOT, bad[i], "x"), EINVAL);
        assert_int_equal(rename_at(&k, ROOT, "hello", ROOT, bad[i]), EINVAL);
        assert_int_equal(rename_at(&k, ROOT, bad[i], ROOT, "x"), EINVAL);
    }
    client_end(&k);
}

static void directories_come_and_go(void **arg)
{
    struct client k;

    boot(&k);
    assert_int_equal(named(&k, T_MKDIR, ROOT, "made", 0755, 8), 0);
    assert_int_equal(get(&k, 1), 0x80);
    assert_int_equal(walk(&k, ROOT, 1, "made"), 0);
    assert_int_equal(named(&k, T_UNLINKAT, ROOT, "made", 0, 4), EISDIR);
    assert_int_equal(named(&k, T_UNLINKAT, ROOT, "made", 0x200, 4), 0);
    assert_int_equal(getattr(&k, 1), ENOENT);
    assert_int_equal(named(&k, T_UNLINKAT, ROOT, "sub", 0x200, 4), ENOTEMPTY);
    client_end(&k);
}

static void a_removed_file_lives_as_long_as_it_is_open(void **arg)
{
    struct client k;

    boot(&k);
    assert_int_equal(walk(&k, ROOT, 1, "hello"), 0);
    assert_int_equal(open_fid(&k, 1, O_RDWR), 0);
    assert_int_equal(named(&k, T_UNLINKAT, ROOT, "hello", 0, 4), 0);
    assert_null(content(&k, "hello"));
    assert_int_equal(write_fid(&k, 1, 0, "J"), 0);
    assert_int_equal(read_fid(&k, 1, 0, 5), 0);
    assert_int_equal(get(&k, 4), 5);
    assert_memory_equal(k.message + k.at, "Jello", 5);
    assert_int_equal(getattr(&k, 1), 0);
    client_end(&k);
}

static void remove_takes_the_file_and_the_fid(void **arg)
{
    struct client k;

    boot(&k);
    assert_int_equal(walk(&k, ROOT, 1, "hello"), 0);
    begin(&k, T_REMOVE);
    put(&k, 4, 1);
    assert_int_equal(call(&k), 0);
    assert_null(content(&k, "hello"));
    assert_int_equal(getattr(&k, 1), EBADF);
    // The folder itself stays.
    assert_int_equal(walk(&k, ROOT, 1, ""), 0);
    begin(&k, T_REMOVE);
    put(&k, 4, 1);
    assert_int_equal(call(&k), EPERM);
    assert_int_equal(access(k.folder, F_OK), 0);
    client_end(&k);
}

static void renaming_moves_the_fids_below(void **arg)
{
    struct client k;

    boot(&k);
    make_file(&k, "sub-not", "n");
    assert_int_equal(walk(&k, ROOT, 1, "sub/a"), 0);
    assert_int_equal(walk(&k, ROOT, 2, "sub"), 0);
    assert_int_equal(walk(&k, ROOT, 3, "sub-not"), 0);
    assert_int_equal(rename_at(&k, ROOT, "sub", ROOT, "other-name"), 0);
    assert_int_equal(open_fid(&k, 1, O_RDONLY), 0);
    assert_int_equal(walk(&k, 2, 4, "b"), 0);
    assert_int_equal(getattr(&k, 3), 0);
    assert_string_equal(content(&k, "other-name/a"), "a");
    // The older message, with a fid of the file.
    begin(&k, T_RENAME);
    put(&k, 4, 1);
    put(&k, 4, ROOT);
    put_text(&k, "up-here");
    assert_int_equal(call(&k), 0);
    assert_string_equal(content(&k, "up-here"), "a");
    assert_int_equal(walk(&k, 1, 5, ".."), 0);
    assert_int_equal(walk(&k, 5, 6, "hello"), 0);
    client_end(&k);
}

static void a_hard_link_is_a_second_name(void **arg)
{
    struct client k;

    boot(&k);
    assert_int_equal(walk(&k, ROOT, 1, "hello"), 0);
    assert_int_equal(walk(&k, ROOT, 2, "sub"), 0);
    begin(&k, T_LINK);
    put(&k, 4, 2);
    put(&k, 4, 1);
    put_text(&k, "again");
    assert_int_equal(call(&k), 0);
    assert_string_equal(content(&k, "sub/again"), "hello world\n");
    // Of a link it is the link.
    assert_int_equal(walk(&k, ROOT, 3, "passwd"), 0);
    begin(&k, T_LINK);
    put(&k, 4, 2);
    put(&k, 4, 3);
    put_text(&k, "pw");
    assert_int_equal(call(&k), 0);
    assert_int_equal(walk(&k, ROOT, 4, "sub/pw"), 0);
    assert_int_equal(open_fid(&k, 4, O_RDONLY), ELOOP);
    client_end(&k);
}

static void only_regular_files_can_be_made_as_nodes(void **arg)
{
    static const u32 kinds[] = {S_IFCHR, S_IFBLK, S_IFIFO, S_IFSOCK};
    struct client k;

    boot(&k);
    for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
        assert_int_equal(named(&k, T_MKNOD, ROOT, "node", kinds[i] | 0644, 16), EPERM);
    assert_int_equal(named(&k, T_MKNOD, ROOT, "node", S_IFREG | 0644, 16), 0);
    assert_string_equal(content(&k, "node"), "");
    client_end(&k);
}

static void size_and_mode_can_be_set(void **arg)
{
    struct client k;
    struct stat s;
    char path[128];

    boot(&k);
    assert_int_equal(walk(&k, ROOT, 1, "hello"), 0);
    assert_int_equal(set_attributes(&k, 1, 1 | 8, 04755, 5), 0);
    assert_string_equal(content(&k, "hello"), "hello");
    snprintf(path, sizeof(path), "%s/hello", k.folder);
    assert_int_equal(stat(path, &s), 0);
    assert_int_equal(s.st_mode & 07777, 0755); // no set-user-id
    assert_int_equal(set_attributes(&k, 1, 8, 0, ~0ull), EINVAL);
    // Through a link nothing is changed.
    assert_int_equal(walk(&k, ROOT, 2, "passwd"), 0);
    assert_int_equal(set_attributes(&k, 2, 1, 0777, 0), ELOOP);
    assert_int_equal(set_attributes(&k, 2, 8, 0, 0), ELOOP);
    client_end(&k);
}

static void times_can_be_set_when_they_are_shown(void **arg)
{
    struct client k;

    client_boot(&k, "writable", "true", "real_attributes", "true", NULL);
    assert_int_equal(walk(&k, ROOT, 1, "hello"), 0);
    assert_int_equal(set_attributes(&k, 1, 0x20 | 0x100, 0, 0), 0);
    assert_int_equal(getattr(&k, 1), 0);
    k.at += 8 + 13 + 4 * 3 + 8 * 5 + 16;
    assert_int_equal(get(&k, 8), 5000);
    client_end(&k);
}

static void many_open_files_share_the_descriptors_of_the_host(void **arg)
{
    struct client k;

    client_boot(&k, "writable", "true", "fids", "400", NULL);
    for (u32 i = 1; i < 400; i++) {
        char name[16];

        snprintf(name, sizeof(name), "f%u", (unsigned)i);
        assert_int_equal(walk(&k, ROOT, i, ""), 0);
        assert_int_equal(create(&k, i, name, O_RDWR, 0644), 0);
        assert_int_equal(write_fid(&k, i, 0, name), 0);
    }
    assert_true(open("/dev/null", O_RDONLY) < 200);
    for (u32 i = 1; i < 400; i++) {
        assert_int_equal(read_fid(&k, i, 0, 1), 0);
        assert_int_equal(write_fid(&k, i, 1, "x"), 0);
    }
    assert_string_equal(content(&k, "f7"), "fx");
    client_end(&k);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_file_is_created_and_written),
        cmocka_unit_test(a_file_that_cannot_be_written_is_written_by_who_made_it),
        cmocka_unit_test(creating_follows_no_link),
        cmocka_unit_test(names_that_are_paths_are_refused),
        cmocka_unit_test(directories_come_and_go),
        cmocka_unit_test(a_removed_file_lives_as_long_as_it_is_open),
        cmocka_unit_test(remove_takes_the_file_and_the_fid),
        cmocka_unit_test(renaming_moves_the_fids_below),
        cmocka_unit_test(a_hard_link_is_a_second_name),
        cmocka_unit_test(only_regular_files_can_be_made_as_nodes),
        cmocka_unit_test(size_and_mode_can_be_set),
        cmocka_unit_test(times_can_be_set_when_they_are_shown),
        cmocka_unit_test(many_open_files_share_the_descriptors_of_the_host),
    };

    return cmocka_run_group_tests_name("dev/virtio_9p_change", tests, NULL, NULL);
}
