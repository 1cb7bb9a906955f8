-- Train on the past, test on the future, with a month between them.
SELECT CASE WHEN date < '2024-09-01' THEN 'train' WHEN date >= '2024-10-01' THEN 'test' END AS part,
       count(*) AS chips, min(date) AS first, max(date) AS last
FROM chips GROUP BY part ORDER BY part;
