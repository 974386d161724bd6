#include "server/net/wheel.h"

#include <assert.h>
#include <stddef.h>

static void
list_init(struct wheel_node *list)
{
	list->next = list->previous = list;
}

static void
list_add(struct wheel_node *list, struct wheel_node *node)
{
	node->next = list;
	node->previous = list->previous;
	list->previous->next = node;
	list->previous = node;
}

/* All of one list into an empty other. */
static void
list_move(struct wheel_node *from, struct wheel_node *to)
{
	list_init(to);
	if (from->next == from)
		return;
	*to = *from;
	to->next->previous = to;
	to->previous->next = to;
	list_init(from);
}

void
wheel_init(struct wheel *wheel, uint32_t now)
{
	for (size_t i = 0; i < WHEEL_SLOTS; i++)
		list_init(&wheel->slots[i]);
	list_init(&wheel->aside);
	wheel->now = now;
}

void
wheel_remove(struct wheel_node *node)
{
	assert(node->next != NULL);
	node->previous->next = node->next;
	node->next->previous = node->previous;
	node->next = node->previous = NULL;
}

/* Into the slot of its deadline, or the last one the wheel has before it. */
static void
place(struct wheel *wheel, struct wheel_node *node)
{
	uint32_t at = node->due;

	if (at == WHEEL_NEVER) {
		node->seen = WHEEL_NEVER;
		list_add(&wheel->aside, node);
		return;
	}
	if (at <= wheel->now)
		at = wheel->now + 1;
	if (at - wheel->now >= WHEEL_SLOTS)
		at = wheel->now + WHEEL_SLOTS - 1;
	node->seen = at;
	list_add(&wheel->slots[at % WHEEL_SLOTS], node);
}

void
wheel_set(struct wheel *wheel, struct wheel_node *node, uint32_t due)
{
	node->due = due;
	if (node->next != NULL) {
		if (due >= node->seen)
			return; /* looked at in time */
		wheel_remove(node);
	}
	place(wheel, node);
}

void
wheel_turn(struct wheel *wheel, uint32_t now,
    void (*expired)(struct wheel_node *node, void *arg), void *arg)
{
	struct wheel_node list;

	/* After a long stop of the clock one round sees every slot. */
	if (now - wheel->now > WHEEL_SLOTS && now > wheel->now)
		wheel->now = now - WHEEL_SLOTS;
	while (wheel->now < now) {
		wheel->now++;
		list_move(&wheel->slots[wheel->now % WHEEL_SLOTS], &list);
		while (list.next != &list) {
			struct wheel_node *node = list.next;

			wheel_remove(node);
			if (node->due <= now)
				expired(node, arg);
			else
				place(wheel, node);
		}
	}
}

static void
each_of(struct wheel_node *list,
    void (*each)(struct wheel_node *node, void *arg), void *arg)
{
	struct wheel_node *node = list->next;

	while (node != list) {
		struct wheel_node *next = node->next;

		each(node, arg);
		node = next;
	}
}

void
wheel_each(struct wheel *wheel,
    void (*each)(struct wheel_node *node, void *arg), void *arg)
{
	for (size_t i = 0; i < WHEEL_SLOTS; i++)
		each_of(&wheel->slots[i], each, arg);
	each_of(&wheel->aside, each, arg);
}
