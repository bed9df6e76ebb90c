/**
 * Closes a test run with one line, `N passed, N failed`, and exits with a status that agrees with it.
 *
 *   node scripts/test-summary.mjs REPORT STATUS
 *
 * REPORT is vitest's JSON report and may be missing, if the run broke before the tests. STATUS is the exit status of the
 * steps before. A step that failed without a failed test (an install, a lint, a file that does not load) counts as one
 * failure, and so does a run without a single passed test.
 */
import { readFileSync } from 'node:fs';

const [reportFile, status] = process.argv.slice(2);
if (reportFile === undefined || !/^\d+$/.test(status ?? '')) {
  console.error('usage: node scripts/test-summary.mjs REPORT STATUS');
  process.exit(2);
}

const { passed, failedTests, failedFiles } = readReport(reportFile);
let failed = failedTests + failedFiles;
if (failed === 0 && (Number(status) !== 0 || passed === 0)) failed = 1;
console.log(`${passed} passed, ${failed} failed`);
process.exitCode = failed === 0 ? 0 : 1;

/**
 * Counts of a vitest JSON report; zeros where the file is missing or broken off. A file that failed with no failed test
 * in it did not load, and counts for itself.
 *
 * @param {string} file
 */
function readReport(file) {
  try {
    const report = JSON.parse(readFileSync(file, 'utf8'));
    /** @type {{ status: string, assertionResults: { status: string }[] }[]} */
    const files = report.testResults;
    const unloaded = files.filter(
      (f) => f.status === 'failed' && !f.assertionResults.some((t) => t.status === 'failed'),
    );
    return { passed: report.numPassedTests, failedTests: report.numFailedTests, failedFiles: unloaded.length };
  } catch {
    return { passed: 0, failedTests: 0, failedFiles: 0 };
  }
}
