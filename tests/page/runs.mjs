// Two runs compared: drawn at once, how far apart they are plotted above the timeline; hidden and shown again.
import { browse, goTo, openPropagated, photo, shown, theme, told, violations } from './browse.mjs';

await browse(async ({ page, faults }) => {
  await openPropagated(page, faults);
  const seen = { wrong: {} };
  await goTo(page, told.between);
  const newest = page.locator('aside li', { hasText: `Run ${told.newest} ` });
  const plotted = () => page.getByLabel('Plotted quantity').evaluate((one) => one.selectedOptions[0].textContent);
  const value = () => page.getByTestId('plot-value').innerText();
  /** How many pixels of the skeletons' canvas have the colour of the other run. */
  const pink = () =>
    page.evaluate(() => {
      const canvas = document.querySelectorAll('.stage canvas')[1];
      const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
      let count = 0;
      for (let at = 0; at < data.length; at += 4) if (data[at] > 240 && data[at + 1] > 70 && data[at + 1] < 110 && data[at + 2] > 225 && data[at + 3] > 200) count++;
      return count;
    });
  const first = () => page.locator(`svg circle[data-keypoint="${told.keypoint}"]`).evaluate((one) => [Number(one.dataset.x), Number(one.dataset.y)]);

  seen.pink = [await pink()];
  await page.keyboard.press('Shift+C');
  const legend = page.getByRole('region', { name: 'Two runs compared' });
  await legend.waitFor();
  await page.waitForSelector('.plot canvas[data-known=true]');
  await page.getByTestId('plot-value').filter({ hasText: /^\d/ }).waitFor();
  seen.quantity = await plotted();
  seen.difference = await value();
  seen.compared = await legend.locator('select').evaluateAll((all) => all.map((one) => one.selectedOptions[0].textContent));
  await page.waitForFunction(() => document.querySelector('[aria-pressed=true][aria-label^="Compare"]') !== null);
  seen.pink.push(await pink());
  seen.first = [await first()];
  for (const one of ['light', 'dark']) {
    await theme(page, one);
    seen.wrong[one] = await violations(page);
    await photo(page, `compare-${one}`);
  }
  // The other way round: the first run is now the one that was second.
  await legend.getByLabel('First run').selectOption({ label: seen.compared[1] });
  await page.waitForFunction(([name, x]) => Number(document.querySelector(`svg circle[data-keypoint="${name}"]`)?.dataset.x) !== x, [told.keypoint, seen.first[0][0]]);
  seen.first.push(await first());
  await legend.getByRole('button', { name: 'End the comparison' }).click();
  await legend.waitFor({ state: 'detached' });
  seen.pink.push(await pink());
  seen.after = await plotted();

  // A run is hidden: what was seen before it is seen; then it is shown again.
  const machine = await first();
  await newest.getByRole('button', { name: /^Hide/ }).click();
  await newest.getByRole('button', { name: /^Show/ }).waitFor();
  await page.waitForFunction(([name, x]) => Number(document.querySelector(`svg circle[data-keypoint="${name}"]`)?.dataset.x) !== x, [told.keypoint, machine[0]]);
  seen.hidden = await first();
  await newest.getByRole('button', { name: /^Show/ }).click();
  await newest.getByRole('button', { name: /^Hide/ }).waitFor();
  return seen;
});
