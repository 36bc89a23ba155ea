// A person's way through the page, in a real browser. Told by JSON in argv: what to open, which file to upload, where
// to click. Prints one JSON line with what was seen.
import { browse, goTo, photo as shot, saved, shown, spot, told } from './browse.mjs';

await browse(async ({ page }) => {
  const photo = (name) => shot(page, name);

  await page.goto(told.address);
  await page.getByRole('button', { name: 'New project' }).first().click();
  const dialog = page.getByRole('dialog');
  await dialog.getByLabel('Name', { exact: true }).fill(told.project);
  await dialog.getByRole('combobox', { name: /^Skeleton/ }).selectOption('own');
  await dialog.getByRole('button', { name: 'As text' }).click();
  await dialog.getByLabel(/^Keypoints/).fill(told.keypoints.join('\n'));
  await dialog.getByLabel(/^Edges/).fill(told.edges.join('\n'));
  await photo('new-project');
  await dialog.getByRole('button', { name: 'Create' }).click();

  await page.getByTestId('files').setInputFiles(told.video);
  const card = page.locator('a[href^="#/videos/"]:not([href$="runs"])');
  await card.waitFor();
  await photo('home');
  const heading = await page.locator('main h1').innerText();
  await card.click();
  await shown(page, 0);

  for (const [index, frame] of told.frames.entries()) {
    await goTo(page, frame);
    if (index > 0) await page.keyboard.press('Enter');
    for (const [keypoint, [x, y, v]] of told.poses[index].entries()) {
      await page.getByText(`Click: ${told.keypoints[keypoint]}`, { exact: true }).waitFor();
      const [left, top] = await spot(page, [x, y]);
      await page.mouse.click(left, top, { button: v === 1 ? 'right' : 'left' });
    }
    await page.getByText('Everything is placed.').waitFor();
    await photo(`labelled-${index}`);
  }
  await saved(page);

  await page.getByLabel('Engine').selectOption(told.engine);
  await page.getByRole('button', { name: 'Propagate', exact: true }).click();
  await page.locator('aside li', { hasText: /^Run \d+ / }).getByText('done').waitFor();
  await goTo(page, told.between);
  await page.locator('aside li', { hasText: told.keypoints[0] }).getByText('machine').waitFor();
  await photo('propagated');
  const machine = await page.locator('svg circle[data-keypoint]').evaluateAll((all) =>
    all.map((one) => [one.dataset.keypoint, Number(one.dataset.x), Number(one.dataset.y)]),
  );

  // Held keys show only frames that are there, one after the other; letting go ends it.
  await page.keyboard.down('ArrowRight');
  await page.waitForFunction((from) => Number(document.querySelector('.screen').dataset.shown) > from + 2, told.between);
  await page.keyboard.up('ArrowRight');

  // A drag moves one keypoint, and undo takes it back.
  await goTo(page, told.between);
  const [name, x, y] = machine[0];
  const [fromX, fromY] = await spot(page, [x, y]);
  await page.mouse.move(fromX, fromY);
  await page.mouse.down();
  await page.mouse.move(fromX + 20, fromY + 10, { steps: 4 });
  await page.mouse.up();
  await page.locator('aside li', { hasText: name }).getByText(/^(visible|hidden)$/).waitFor();
  await saved(page);
  await page.keyboard.press('Control+z');
  await page.locator('aside li', { hasText: name }).getByText('machine').waitFor();
  await saved(page);
  await page.keyboard.press('?');
  await page.getByRole('dialog', { name: 'Keys' }).waitFor();
  await photo('keys');
  await page.keyboard.press('Escape');

  await page.getByTitle('All videos').click();
  await page.getByRole('link', { name: 'Exports' }).click();
  await page.getByRole('button', { name: 'Export COCO' }).click();
  const link = page.getByRole('link', { name: /^Download/ });
  await link.waitFor();
  const download = page.waitForEvent('download');
  await link.click();
  await (await download).saveAs(told.exported);
  await page.getByRole('button', { name: /theme/ }).click();
  await photo('home-other-theme');
  await page.getByRole('link', { name: 'Videos', exact: true }).click();
  await card.click();
  await shown(page, 0);
  await goTo(page, told.between);
  await page.waitForTimeout(told.photos ? 1500 : 0);
  await photo('labelling-other-theme');
  return { heading, machine, hash: await page.evaluate(() => location.hash) };
});
