// What one guest may have under way. Each breach is a GuestFault GUEST_LIMIT.

/**
 * Calls that are in a guest, from the host or from one of its components to another, those that wait to be let in included.
 * A server has 16 at once by default; a fan-out within a composition multiplies that. Each holds about 1 KiB here.
 */
export const tasksMax = 10_000;

/** Calls that wait for one component instance to let them in. Who calls on must sometimes look at what came of it. */
export const enteringMax = 1_000;

/**
 * Stacks that are suspended. Each has 1 MB of addresses and 2 of the 65,530 mappings that a process may have
 * (vm.max_map_count), and a process has many guests.
 */
export const suspendedMax = 1_000;

/** Threads of one component instance, those of its calls included. */
export const threadsMax = 10_000;

/** Turns of a guest's tasks in a row, before timers and sockets have their turn. A turn takes a microsecond or more. */
export const turnsMax = 1_000;
