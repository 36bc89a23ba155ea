// A skeleton is drawn, read from a file, and changed after labels were made.
import { browse, photo, signIn, theme, told, violations } from './browse.mjs';

await browse(async ({ page, faults }) => {
  await signIn(page);
  faults.length = 0;
  const seen = { wrong: {} };
  const look = async (name) => {
    for (const one of ['light', 'dark']) {
      await theme(page, one);
      seen.wrong[`${name}, ${one}`] = await violations(page);
      await photo(page, `${name}-${one}`);
    }
  };
  const picture = page.getByTestId('skeleton-picture');
  const click = async (x, y) => {
    const box = await picture.boundingBox();
    await page.mouse.click(box.x + (x / 100) * box.width, box.y + (y / 100) * box.height);
  };
  const begin = async (name, template) => {
    await page.getByRole('button', { name: 'New project' }).click();
    await page.getByRole('dialog').getByLabel('Name', { exact: true }).fill(name);
    if (template) await page.getByRole('combobox', { name: /^Skeleton/ }).selectOption(template);
  };
  const create = async (name) => {
    await page.getByRole('button', { name: 'Create' }).click();
    await page.getByRole('heading', { name, level: 1 }).waitFor();
  };

  // Every template becomes a project.
  for (const template of ['posetrack-15', 'hand-21', 'mouse', 'fly', 'horse']) {
    await begin(template, template);
    if (template === 'hand-21') await look('new-project');
    await create(template);
  }

  // Drawn by clicks: three keypoints, two edges of which one is taken away again, sides by name.
  await begin('Drawn', 'own');
  await click(50, 20);
  await click(30, 60);
  await click(70, 60);
  for (const [number, name] of [[1, 'head'], [2, 'left <b>wing</b>'], [3, 'right <b>wing</b>']]) await page.getByLabel(`Name of keypoint ${number}`, { exact: true }).fill(name);
  await click(50, 20);
  await click(30, 60);
  await click(50, 20);
  await click(70, 60);
  await click(70, 60);
  await click(50, 20);
  await create('Drawn');

  // From a COCO file.
  await begin('Read');
  await page.getByTestId('coco').setInputFiles({ name: 'bad.json', mimeType: 'application/json', buffer: Buffer.from('{}') });
  seen.refused = await page.getByRole('dialog').getByRole('alert').innerText();
  await page.getByTestId('coco').setInputFiles({ name: 'poses.json', mimeType: 'application/json', buffer: Buffer.from(JSON.stringify(told.coco)) });
  await page.getByLabel('Name of keypoint 1', { exact: true }).waitFor();
  await create('Read');

  // Changed after labels were made.
  await page.goto(`${told.address}/#/projects/${told.project}/settings`);
  await page.getByLabel('Name of keypoint 1', { exact: true }).fill('snout');
  await page.getByRole('button', { name: `Retire: ${told.retired}` }).click();
  await page.getByRole('button', { name: '+ Add' }).click();
  await page.getByLabel(`Name of keypoint ${told.count + 1}`, { exact: true }).fill('tail tip');
  await page.getByLabel('Edge from').selectOption({ label: 'snout' });
  await page.getByLabel('Edge to').selectOption({ label: 'tail tip' });
  await page.getByRole('button', { name: 'Draw the edge' }).click();
  seen.preview = await page.getByRole('list', { name: 'What this does to labels that are there' }).getByRole('listitem').allInnerTexts();
  await look('skeleton');
  await page.getByRole('button', { name: /^Pair (these|them)/ }).click();
  seen.paired = await page.getByRole('listitem').filter({ hasText: 'Left and right pairs' }).innerText();
  await page.getByRole('button', { name: 'Save the skeleton' }).click();
  await page.getByRole('list', { name: 'What this does to labels that are there' }).waitFor({ state: 'detached' });
  return seen;
});
