// SPDX-License-Identifier: BSD-3-Clause
// Images and kernels for guests: image/image.h and image/kernel.h.
#include "image/image.h"
#include "api/api_priv.h"
#include "base/alloc.h"
#include "image/kernel.h"

#include <stdio.h>
#include <string.h>

#define EPOCH_DEFAULT 1767225600 // 2026-01-01, as the clock of the simulated PC

static const char *or_default(const char *value, const char *otherwise)
{
    return value ? value : otherwise;
}

bool facet_image_build(const struct facet_image *image, struct facet_error *err)
{
    struct image_request request = {
        .output = image->output,
        .files = image->files,
        .init = image->init,
        .run = image->run,
        .modules_folder = image->modules_from,
        .hostname = or_default(image->hostname, "facet"),
        .guest_tool = image->guest_tool,
        .epoch = image->epoch ? image->epoch : EPOCH_DEFAULT,
        .modules = image->modules,
        .busybox = image->busybox,
        .compression = image->compression,
        .packages = image->packages,
        .suite = or_default(image->suite, "bookworm"),
        .mirror = image->mirror,
        .size = image->size,
    };
    struct error problem = {.code = ERROR_NONE};
    bool good;

    if (!image->output)
        return api_error(err, FACET_ERROR_USAGE, "no file to make is named");
    good = image->kind == FACET_IMAGE_INITRAMFS ? image_build_initramfs(&request, &problem)
                                                : image_build_root(&request, &problem);
    return good || api_fail(err, &problem);
}

bool facet_kernel_get(const struct facet_kernel_request *request, struct facet_kernel *ret_kernel,
                      struct facet_error *err)
{
    const struct kernel_request inner = {
        .flavour = or_default(request->flavour, "cloud-amd64"),
        .cache = request->cache,
        .output = request->output,
        .pin = request->pin,
        .update = request->update,
    };
    struct error problem = {.code = ERROR_NONE};
    AUTO_FREE char *folder = NULL;
    struct kernel_pin pin;

    if (!request->cache)
        return api_error(err, FACET_ERROR_USAGE, "no folder for the cache is named");
    if (!kernel_get(&inner, &pin, &folder, &problem))
        return api_fail(err, &problem);
    if (strlen(folder) >= sizeof(ret_kernel->folder))
        return api_error(err, FACET_ERROR_INPUT, "the name of the folder is too long");
    *ret_kernel = (struct facet_kernel){0};
    snprintf(ret_kernel->package, sizeof(ret_kernel->package), "%s", pin.package);
    snprintf(ret_kernel->version, sizeof(ret_kernel->version), "%s", pin.version);
    snprintf(ret_kernel->release, sizeof(ret_kernel->release), "%s", pin.release);
    snprintf(ret_kernel->deb_sha256, sizeof(ret_kernel->deb_sha256), "%s", pin.deb_sha256);
    snprintf(ret_kernel->vmlinuz_sha256, sizeof(ret_kernel->vmlinuz_sha256), "%s",
             pin.vmlinuz_sha256);
    snprintf(ret_kernel->folder, sizeof(ret_kernel->folder), "%s", folder);
    return true;
}
