/**
 * Ends this process at once, whatever hangs in it. The first process of a container (id 1) is immune to signals of its
 * own, SIGKILL included (pid_namespaces(7)): there it is an exit, which runs no asynchronous code either.
 */
export function killSelf(): never {
  process.kill(process.pid, 'SIGKILL');
  process.exit(137);
}
