/* Removing many files from a folder with one call, for unlinking.py: Python takes and gives its lock for each file,
 * so that a thread that removes a day of footage makes all others wait, or waits for them.
 */

#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#ifndef SOURCE
#define SOURCE ""
#endif

const char beholden_source[] = SOURCE;

/* Remove from the folder that is open as `folder` the files whose names, each ended by a zero byte, fill
 * names[0:size]. Names of files that are not there are passed over. 0, or the error at which it stopped. */
int64_t beholden_unlink(int64_t folder, const char *names, int64_t size) {
    const char *name = names, *end = names + size;
    while (name < end) {
        size_t length = strnlen(name, (size_t)(end - name));
        if (name + length == end) return EINVAL;
        if (unlinkat((int)folder, name, 0) != 0 && errno != ENOENT) return errno;
        name += length + 1;
    }
    return 0;
}
