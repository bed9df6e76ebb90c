import { relative } from 'node:path';
import type { Reporter, TestModule } from 'vitest/node';

/**
 * A vitest reporter that closes a run by saying what it did not run, file by file, with the reason given to
 * `context.skip(reason)`; a run that skipped nothing says so too.
 */
export default class ReportSkips implements Reporter {
  onTestRunEnd(modules: readonly TestModule[]): void {
    const lines: string[] = [];
    let total = 0;
    for (const module of modules) {
      const file = relative(process.cwd(), module.moduleId);
      for (const [reason, count] of skipsByReason(module)) {
        total += count;
        lines.push(`  [${module.project.name}] ${file}: ${count} skipped, ${reason}`);
      }
    }
    console.log(total === 0 ? '\nSkipped: no test' : `\nSkipped: ${total} of the tests\n${lines.join('\n')}`);
  }
}

function skipsByReason(module: TestModule): Map<string, number> {
  const counts = new Map<string, number>();
  for (const test of module.children.allTests('skipped')) {
    const result = test.result();
    const reason = (result.state === 'skipped' && result.note) || 'no reason given';
    counts.set(reason, (counts.get(reason) ?? 0) + 1);
  }
  return counts;
}
