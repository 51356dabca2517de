CREATE TABLE projects (
	uid VARCHAR NOT NULL, 
	title VARCHAR NOT NULL, 
	label_config VARCHAR NOT NULL, 
	extra_params JSON, 
	access_token VARCHAR, 
	current_version VARCHAR, 
	revision INTEGER NOT NULL, 
	refresh_wanted INTEGER NOT NULL, 
	refresh_done INTEGER NOT NULL, 
	refresh_until DOUBLE PRECISION NOT NULL, 
	refresh_holder VARCHAR, 
	compared_at DOUBLE PRECISION, 
	trouble VARCHAR, 
	created_at DOUBLE PRECISION NOT NULL, 
	PRIMARY KEY (uid)
);
CREATE TABLE secrets (
	name VARCHAR NOT NULL, 
	value VARCHAR NOT NULL, 
	PRIMARY KEY (name)
);
CREATE TABLE annotations (
	project VARCHAR NOT NULL, 
	annotation BIGINT NOT NULL, 
	task BIGINT NOT NULL, 
	PRIMARY KEY (project, annotation), 
	FOREIGN KEY(project) REFERENCES projects (uid)
);
CREATE TABLE changes (
	project VARCHAR NOT NULL, 
	task VARCHAR NOT NULL, 
	revision INTEGER NOT NULL, 
	PRIMARY KEY (project, task), 
	FOREIGN KEY(project) REFERENCES projects (uid)
);
CREATE TABLE reviews (
	project VARCHAR NOT NULL, 
	id VARCHAR NOT NULL, 
	run VARCHAR, 
	tasks INTEGER, 
	error VARCHAR, 
	until DOUBLE PRECISION NOT NULL, 
	ended_at DOUBLE PRECISION, 
	PRIMARY KEY (project), 
	FOREIGN KEY(project) REFERENCES projects (uid)
);
CREATE TABLE runs (
	id VARCHAR NOT NULL, 
	project VARCHAR NOT NULL, 
	reason VARCHAR NOT NULL, 
	wishes JSON, 
	state VARCHAR NOT NULL, 
	phase VARCHAR NOT NULL, 
	progress DOUBLE PRECISION NOT NULL, 
	eta_seconds DOUBLE PRECISION, 
	attempt INTEGER NOT NULL, 
	documents INTEGER, 
	version VARCHAR, 
	error VARCHAR, 
	revision INTEGER, 
	queued_at DOUBLE PRECISION NOT NULL, 
	started_at DOUBLE PRECISION, 
	heartbeat_at DOUBLE PRECISION, 
	finished_at DOUBLE PRECISION, 
	PRIMARY KEY (id), 
	FOREIGN KEY(project) REFERENCES projects (uid)
);
CREATE UNIQUE INDEX one_queued_run_per_project ON runs (project) WHERE state = 'queued';
CREATE INDEX runs_by_state ON runs (state, queued_at);
CREATE TABLE suspects (
	id SERIAL NOT NULL, 
	project VARCHAR NOT NULL, 
	task VARCHAR NOT NULL, 
	start INTEGER NOT NULL, 
	"end" INTEGER NOT NULL, 
	text VARCHAR NOT NULL, 
	given VARCHAR, 
	kind VARCHAR NOT NULL, 
	"view" VARCHAR NOT NULL, 
	found JSON NOT NULL, 
	score DOUBLE PRECISION NOT NULL, 
	run VARCHAR, 
	PRIMARY KEY (id), 
	FOREIGN KEY(project) REFERENCES projects (uid)
);
CREATE INDEX suspects_by_score ON suspects (project, score);
CREATE TABLE versions (
	id SERIAL NOT NULL, 
	project VARCHAR NOT NULL, 
	number INTEGER NOT NULL, 
	name VARCHAR NOT NULL, 
	run VARCHAR, 
	labels JSON NOT NULL, 
	metrics JSON NOT NULL, 
	verdict VARCHAR NOT NULL, 
	pinned BOOLEAN DEFAULT false NOT NULL, 
	created_at DOUBLE PRECISION NOT NULL, 
	pruned_at DOUBLE PRECISION, 
	PRIMARY KEY (id), 
	UNIQUE (project, name), 
	FOREIGN KEY(project) REFERENCES projects (uid)
);
INSERT INTO projects VALUES ('7.1795221978', 'Restaurants', '<View/>', '{"epochs": 2}', 'token', 'ner-v1', 12, 5, 4, 2000000000.0, 'worker', 1800000000.0, 'Label Studio does not answer.', 1795221978.0);
INSERT INTO projects VALUES ('8.1795221978', 'Untrained', '<View/>', NULL, NULL, NULL, 0, 0, 0, 0.0, NULL, NULL, NULL, 1795221979.0);
INSERT INTO secrets VALUES ('dashboard', 'abc');
INSERT INTO annotations VALUES ('7.1795221978', 9000000001, 11);
INSERT INTO annotations VALUES ('7.1795221978', 9000000002, 12);
INSERT INTO changes VALUES ('7.1795221978', '11', 12);
INSERT INTO reviews VALUES ('7.1795221978', 'review1', 'run2', NULL, NULL, 2000000000.0, NULL);
INSERT INTO runs VALUES ('run1', '7.1795221978', 'button', NULL, 'finished', 'finished', 1.0, NULL, 1, 80, 'ner-v1', NULL, 4, 1.0, 2.0, 3.0, 4.0);
INSERT INTO runs VALUES ('run2', '7.1795221978', '10 changed tasks', '{"epochs": 3}', 'finished', 'finished', 1.0, NULL, 1, 90, 'ner-v2', NULL, 9, 5.0, 6.0, 7.0, 8.0);
INSERT INTO runs VALUES ('run3', '7.1795221978', 'command line', '{"seed": 1}', 'started', 'training', 0.5, 9.0, 2, 95, NULL, NULL, NULL, 9.0, 10.0, 1999999990.0, NULL);
INSERT INTO runs VALUES ('run4', '7.1795221978', 'dashboard', NULL, 'queued', 'queued', 0.0, NULL, 0, NULL, NULL, NULL, NULL, 11.0, NULL, NULL, NULL);
INSERT INTO versions (project, number, name, run, labels, metrics, verdict, pinned, created_at, pruned_at) VALUES ('7.1795221978', 1, 'ner-v1', 'run1', '["Dish"]', '{"f1": 0.5}', 'promoted by hand', true, 100.0, NULL);
INSERT INTO versions (project, number, name, run, labels, metrics, verdict, pinned, created_at, pruned_at) VALUES ('7.1795221978', 2, 'ner-v2', 'run2', '["Dish"]', '{"f1": 0.6}', 'promoted: F1 0.600 against 0.500 on the same 40 held-out tasks (better in 99 % of resamples)', false, 200.0, NULL);
INSERT INTO versions (project, number, name, run, labels, metrics, verdict, pinned, created_at, pruned_at) VALUES ('7.1795221978', 3, 'ner-v3', NULL, '["Dish"]', '{}', 'rejected: F1 0.400 against 0.600 on the same 40 held-out tasks', false, 300.0, 400.0);
INSERT INTO suspects (project, task, start, "end", text, given, kind, "view", found, score, run) VALUES ('7.1795221978', '11', 0, 5, 'sushi', 'Cuisine', 'wrong label', 'Dish 0.97', '[{"start": 0, "end": 5, "label": "Dish", "score": 0.97}]', 0.9, 'run2');
