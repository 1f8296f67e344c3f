/* SPDX-License-Identifier: GPL-2.0-only */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM miglab

#if !defined(MIGLAB_TRACE_H) || defined(TRACE_HEADER_MULTI_READ)
#define MIGLAB_TRACE_H

#include <linux/tracepoint.h>

#include "device.h"
#include "history.h"

#define miglab_trace_state(state)				\
	__print_symbolic(state,					\
			 { MIGLAB_ERROR, "ERROR" },		\
			 { MIGLAB_STOP, "STOP" },		\
			 { MIGLAB_RUNNING, "RUNNING" },		\
			 { MIGLAB_STOP_COPY, "STOP_COPY" },	\
			 { MIGLAB_RESUMING, "RESUMING" },	\
			 { MIGLAB_RUNNING_P2P, "RUNNING_P2P" },	\
			 { MIGLAB_PRE_COPY, "PRE_COPY" },	\
			 { MIGLAB_PRE_COPY_P2P, "PRE_COPY_P2P" })

TRACE_DEFINE_ENUM(MIGLAB_ERROR);
TRACE_DEFINE_ENUM(MIGLAB_STOP);
TRACE_DEFINE_ENUM(MIGLAB_RUNNING);
TRACE_DEFINE_ENUM(MIGLAB_STOP_COPY);
TRACE_DEFINE_ENUM(MIGLAB_RESUMING);
TRACE_DEFINE_ENUM(MIGLAB_RUNNING_P2P);
TRACE_DEFINE_ENUM(MIGLAB_PRE_COPY);
TRACE_DEFINE_ENUM(MIGLAB_PRE_COPY_P2P);

DECLARE_EVENT_CLASS(miglab_arc,
		    TP_PROTO(const char *name, const struct miglab_arc *arc),
		    TP_ARGS(name, arc),
		    TP_STRUCT__entry(__array(char, name, MIGLAB_NAME)
				     __field(u64, seq)
				     __field(u32, from)
				     __field(u32, to)
				     __field(u32, requested)
				     __field(u32, rule)
				     __field(int, result)
		    ),
		    TP_fast_assign(strscpy(__entry->name, name, MIGLAB_NAME);
				   __entry->seq = arc->seq;
				   __entry->from = arc->from;
				   __entry->to = arc->to;
				   __entry->requested = arc->requested;
				   __entry->rule = arc->rule;
				   __entry->result = arc->result;
		    ),
		    TP_printk("%s %s>%s requested=%s seq=%llu rule=%u result=%d", __entry->name,
			      miglab_trace_state(__entry->from), miglab_trace_state(__entry->to),
			      miglab_trace_state(__entry->requested), __entry->seq,
			      __entry->rule, __entry->result)
);

/* Before any rule acts; the result is MIGLAB_IN_PROGRESS. */
DEFINE_EVENT(miglab_arc, miglab_arc_begin,
	     TP_PROTO(const char *name, const struct miglab_arc *arc),
	     TP_ARGS(name, arc)
);

/* A rule's hold, or a lease's, begins to wait for its release. */
DEFINE_EVENT(miglab_arc, miglab_hold,
	     TP_PROTO(const char *name, const struct miglab_arc *arc),
	     TP_ARGS(name, arc)
);

/* The device is in its new state, or failed to get there. */
DEFINE_EVENT(miglab_arc, miglab_arc_end,
	     TP_PROTO(const char *name, const struct miglab_arc *arc),
	     TP_ARGS(name, arc)
);

/* A session begins ("save", "resume") or ends ("end"). */
TRACE_EVENT(miglab_session,
	    TP_PROTO(const char *name, const char *what),
	    TP_ARGS(name, what),
	    TP_STRUCT__entry(__array(char, name, MIGLAB_NAME)
			     __array(char, what, 8)
	    ),
	    TP_fast_assign(strscpy(__entry->name, name, MIGLAB_NAME);
			   strscpy(__entry->what, what, sizeof(__entry->what));
	    ),
	    TP_printk("%s %s", __entry->name, __entry->what)
);

/* A rule acts on an operation, which is not an arc. */
TRACE_EVENT(miglab_fault,
	    TP_PROTO(const char *name, enum miglab_op op, u32 rule),
	    TP_ARGS(name, op, rule),
	    TP_STRUCT__entry(__array(char, name, MIGLAB_NAME)
			     __array(char, op, 16)
			     __field(u32, rule)
	    ),
	    TP_fast_assign(strscpy(__entry->name, name, MIGLAB_NAME);
			   strscpy(__entry->op, miglab_op_name(op), sizeof(__entry->op));
			   __entry->rule = rule;
	    ),
	    TP_printk("%s op=%s rule=%u", __entry->name, __entry->op, __entry->rule)
);

DECLARE_EVENT_CLASS(miglab_io,
		    TP_PROTO(const char *name, size_t asked, ssize_t result),
		    TP_ARGS(name, asked, result),
		    TP_STRUCT__entry(__array(char, name, MIGLAB_NAME)
				     __field(u64, asked)
				     __field(s64, result)
		    ),
		    TP_fast_assign(strscpy(__entry->name, name, MIGLAB_NAME);
				   __entry->asked = asked;
				   __entry->result = result;
		    ),
		    TP_printk("%s asked=%llu result=%lld", __entry->name, __entry->asked,
			      __entry->result)
);

/* A read() or write() of a data_fd returns: bytes, or a negative errno. */
DEFINE_EVENT(miglab_io, miglab_read,
	     TP_PROTO(const char *name, size_t asked, ssize_t result),
	     TP_ARGS(name, asked, result)
);

DEFINE_EVENT(miglab_io, miglab_write,
	     TP_PROTO(const char *name, size_t asked, ssize_t result),
	     TP_ARGS(name, asked, result)
);

#endif

#undef TRACE_INCLUDE_PATH
#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_PATH .
#define TRACE_INCLUDE_FILE trace
#include <trace/define_trace.h>
