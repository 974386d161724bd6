/*
 * Goal: command_decode is total, and what it takes has only one form.
 * Method: decode; what decodes is encoded again and must be the same bytes.
 */
#include "fsm/command.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct buf out = buf_new(COMMAND_SIZE_MAX);
	struct command command;
	struct errmsg why;

	(void)command_is_removal(data, size);
	if (command_decode(data, size, &command, &why) != OK)
		return 0;
	if (command_encode(&command, &out, &why) != OK || out.size != size ||
	    memcmp(out.data, data, size) != 0)
		abort();
	command_free(&command);
	buf_wipe(&out);
	return 0;
}
