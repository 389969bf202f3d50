import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync, readdirSync } from 'node:fs';

/** One running process; `command` is its command line, or the title it gave itself. */
export interface RunningProcess {
  pid: number;
  parentPid: number;
  command: string;
}

/** Every process that runs now. Zombies are left out: nothing is left of them that could be stopped. */
export function runningProcesses(): RunningProcess[] {
  return existsSync('/proc/self/stat') ? readProcFolder() : readPs();
}

/** The command line of a process, or undefined when there is no such process (any more). */
export function commandLine(pid: number): string | undefined {
  if (existsSync('/proc/self/stat')) return procCommandLine(pid);
  try {
    return execFileSync('ps', ['-o', 'command=', '-p', String(pid)], { encoding: 'utf8' }).trim() || undefined;
  } catch {
    return undefined;
  }
}

/** The processes below `pid`: its children, their children and so on. */
export function descendants(pid: number, table: RunningProcess[] = runningProcesses()): RunningProcess[] {
  const children = table.filter((process) => process.parentPid === pid);
  return children.flatMap((child) => [child, ...descendants(child.pid, table)]);
}

function procCommandLine(pid: number): string | undefined {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ').trim() || undefined;
  } catch {
    return undefined;
  }
}

function readProcFolder(): RunningProcess[] {
  const found: RunningProcess[] = [];
  for (const name of readdirSync('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    const pid = Number(name);
    const command = procCommandLine(pid);
    const parentPid = procParentPid(pid);
    if (command !== undefined && parentPid !== undefined) found.push({ pid, parentPid, command });
  }
  return found;
}

function procParentPid(pid: number): number | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // The second field is the name in parentheses and may hold spaces and parentheses itself.
    const [, parent] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return Number(parent);
  } catch {
    return undefined;
  }
}

function readPs(): RunningProcess[] {
  const lines = execFileSync('ps', ['-axo', 'pid=,ppid=,command='], { encoding: 'utf8' }).split('\n');
  return lines.flatMap((line) => {
    const match = /^\s*(\d+)\s+(\d+)\s+(.*)$/.exec(line);
    return match ? [{ pid: Number(match[1]), parentPid: Number(match[2]), command: match[3] ?? '' }] : [];
  });
}
