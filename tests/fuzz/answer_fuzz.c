/*
 * Goal: no answer of a server harms a program that uses libconclave.
 * Method: the same bytes to each of its readers; what they take, they free.
 */
#include <stdlib.h>
#include <string.h>

#include "client/conclave.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = malloc(size + 1); /* as an answer's body: with a NUL */
	struct conclave_ca_config config;
	struct conclave_members members;
	struct conclave_roots roots;
	struct conclave_raft raft;
	struct conclave_error error;

	if (text == NULL)
		return 0;
	if (size > 0)
		memcpy(text, data, size);
	text[size] = '\0';
	if (conclave_roots_parse(text, size, &roots, &error) == CONCLAVE_OK)
		conclave_roots_free(&roots);
	if (conclave_members_parse(text, size, &members, &error) == CONCLAVE_OK)
		conclave_members_free(&members);
	if (conclave_raft_parse(text, size, &raft, &error) == CONCLAVE_OK)
		conclave_raft_free(&raft);
	if (conclave_ca_config_parse(text, size, &config, &error) ==
	    CONCLAVE_OK)
		conclave_ca_config_free(&config);
	free(text);
	return 0;
}
