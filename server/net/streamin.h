/*
 * streamin - the receiving half of a stream; private to stream.c and itself.
 *
 * Socket -> the loop's read buffer -> (TLS session -> one record) -> owner.
 * Every callback may close the stream, so each step looks whether it still
 * lives.
 */
#ifndef SERVER_NET_STREAMIN_H
#define SERVER_NET_STREAMIN_H

#include "server/net/stream.h"

/* Read, unless paused or ended. The socket is connected. */
void streamin_start(struct stream *stream);
/* TCP and TLS are up: tell the owner if asked to, send what waited. */
void streamin_open(struct stream *stream, bool tell);
/* Begin the handshake of a dialled session. */
void streamin_hello(struct stream *stream);

#endif
