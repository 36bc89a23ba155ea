"""Files as answers: nobody else waits for those that are read or fetched for long."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

from app.storage import Storage


def test_nobody_waits_for_files_that_are_read_for_long(house, plant_checkpoint, monkeypatch):
    job = house.service.finished(house.http.post(f"/projects/{house.project['id']}/exports", json={}).json())
    number = plant_checkpoint(house.service, house.project["id"])
    urls = [f"{house.url}/content", f"{house.url}/content?original=1", f"/checkpoints/{number}/content"]
    urls += [f"/checkpoints/{number}/files/report.json", f"/exports/{job['result']['export_id']}/content"]
    begun, go_on, read = threading.Semaphore(0), threading.Event(), Storage.file

    def file(*args, **options):
        begun.release()
        assert go_on.wait(60)
        return read(*args, **options)

    monkeypatch.setattr(Storage, "file", file)
    with ThreadPoolExecutor(40) as pool:
        answers = [pool.submit(house.http.get, url) for url in urls * 8]
        try:
            assert begun.acquire(timeout=30)
            assert house.http.get(house.url, timeout=20).status_code == 200
            assert house.http.put(f"{house.url}/labels", json=house.labels(2), timeout=20).status_code == 200
        finally:
            go_on.set()
        assert {answer.result().status_code for answer in answers} == {200}
