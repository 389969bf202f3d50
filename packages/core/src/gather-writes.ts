/** What is needed of a socket. */
export interface GatheringSocket {
  cork(): void;
  uncork(): void;
  write(...args: never[]): boolean;
}

/**
 * Sends what is written to a socket within one turn of the event loop by one system call. A small file is some twenty
 * small requests, and the calls would cost more CPU than what is in them; slots that write in the same turn share one.
 * What is written goes out before the loop waits again, so nothing is held back.
 */
export function gatherWrites<Socket extends GatheringSocket>(socket: Socket): Socket {
  const write = socket.write.bind(socket);
  let gathering = false;
  socket.write = (...args) => {
    if (!gathering) {
      gathering = true;
      socket.cork();
      setImmediate(() => {
        gathering = false;
        socket.uncork();
      });
    }
    return write(...args);
  };
  return socket;
}
